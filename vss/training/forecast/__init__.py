"""Trains forecasts: networks and a closed-form line, intervals by conformal calibration, one ONNX file a model."""
