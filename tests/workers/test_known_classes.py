from pathlib import Path

import pytest

from tests.model_store.detection.tiny_models import write_model, yolov8_output
from vss.config import ModelSettings
from vss.errors import ConfigError
from vss.workers.pictures.known_classes import check_classes, check_classes_of


def test_a_class_that_the_detector_does_not_know_is_refused_with_the_nearest(tmp_path: Path) -> None:
    names = {"names": "{0: 'car', 1: 'truck'}"}
    file = write_model(tmp_path / "gate.onnx", yolov8_output((32, 32, 16, 8, 1, 0.9)), metadata=names)
    settings = ModelSettings(device="cpu")
    check_classes_of(str(file), settings, ("truck", "car"))
    with pytest.raises(ConfigError, match="knows no class 'trucks'") as raised:
        check_classes_of(str(file), settings, ("car", "trucks"))
    assert raised.value.fix == "did you mean truck?"


def test_a_detector_without_labels_may_know_any() -> None:
    check_classes(("anything",), ())
