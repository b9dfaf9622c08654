"""Models that look at a window of a sensor's readings: anomalies and forecasts."""
