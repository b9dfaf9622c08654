"""What a runner takes, and that it gives it back."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.model_store.detection.tiny_models import write_model, yolov8_output
from vss.config import ModelSettings
from vss.errors import ConfigError
from vss.model_store.backends.load import open_model
from vss.model_store.backends.model import Model
from vss.model_store.manifest import Manifest
from vss.model_store.resolve import ModelRef
from vss.model_store.runner import runner
from vss.model_store.runner.runner import Runner


def test_a_model_that_its_task_refuses_is_closed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    closed: list[Model] = []

    def opened(ref: ModelRef, settings: ModelSettings) -> Model:
        model = open_model(ref, settings)
        close = model.close

        def closing() -> None:
            closed.append(model)
            close()

        monkeypatch.setattr(model, "close", closing)
        return model

    monkeypatch.setattr(runner, "open_model", opened)
    file = write_model(tmp_path / "tiny.onnx", yolov8_output((32, 32, 16, 8, 1, 0.9)))
    ref = ModelRef("gate", "1", file, Manifest(labels=("one", "too", "many", "names")))
    with pytest.raises(ConfigError, match="names 4"):
        Runner.load(ref, ModelSettings(device="cpu", threads=1))
    assert len(closed) == 1
