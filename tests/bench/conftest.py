from __future__ import annotations

from pathlib import Path

import pytest

from tests.model_store.detection.tiny_models import write_model, yolov8_output


@pytest.fixture
def model(tmp_path: Path) -> Path:
    """One box, whatever the picture."""
    return write_model(tmp_path / "tiny.onnx", yolov8_output((32, 32, 16, 8, 1, 0.9)))
