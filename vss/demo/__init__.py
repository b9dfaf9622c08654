"""The demo: a made-up but real-looking conveyor, the model that knows its parts, and the whole fleet at work on it."""

from __future__ import annotations

from pathlib import Path

CONVEYOR_MODEL = Path(__file__).with_name("conveyor.onnx")
"""The detector that knows the conveyor's parts; `scripts/train_demo_model.py` made it."""
