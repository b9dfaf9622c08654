"""The demo: a made-up conveyor and a made-up pump, the models that know them, and the whole fleet at work on both."""

from __future__ import annotations

from pathlib import Path

CONVEYOR_MODEL = Path(__file__).with_name("conveyor.onnx")
"""The detector that knows the conveyor's parts; `scripts/train_demo_model.py` made it."""

PUMP_MODEL = Path(__file__).with_name("pump.onnx")
"""The detector that knows how the pump runs when all is well; `scripts/train_pump_model.py` made it."""
