"""Runs the example's own script."""

from __future__ import annotations

import importlib.util
from pathlib import Path

EXAMPLE = Path(__file__).parents[2] / "examples" / "brightness_task"


def make_brightness_model(folder: Path) -> Path:
    """The model that `make_model.py` writes, with its manifest beside it."""
    spec = importlib.util.spec_from_file_location("make_model", EXAMPLE / "make_model.py")
    assert spec is not None
    assert spec.loader is not None
    script = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(script)
    file: Path = script.make_model(folder)
    return file
