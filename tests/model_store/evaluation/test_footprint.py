"""Each measurement starts a process of its own, and takes as long as that takes."""

from __future__ import annotations

import importlib.util
from pathlib import Path

import numpy as np
import pytest

from tests.model_store.detection.tiny_models import CELLS, write_model, yolov8_output
from vss.config import ModelSettings
from vss.errors import ConfigError, ModelCorrupt
from vss.model_store.evaluation.footprint import measure_load, measure_memory
from vss.model_store.manifest import Manifest
from vss.model_store.resolve import ModelRef

SETTINGS = ModelSettings(device="cpu", threads=2)


def test_a_larger_model_takes_more_memory_and_the_time_of_a_load_is_seen(tmp_path: Path) -> None:
    small = ModelRef("small", "1", write_model(tmp_path / "small.onnx", yolov8_output()), Manifest())
    # 27 MB of constants.
    wide = np.zeros((4 + 40_000, CELLS), np.float32)
    large = ModelRef("large", "1", write_model(tmp_path / "large.onnx", wide), Manifest(head="yolov8"))
    assert measure_memory(large, SETTINGS) - measure_memory(small, SETTINGS) > 20e6
    time = measure_load(small, SETTINGS)
    assert 0 < time.load_s < 5
    assert 0 < time.warm_s < 5


def test_what_is_wrong_with_a_model_is_said_as_if_it_were_loaded_here(tmp_path: Path) -> None:
    (tmp_path / "bad.onnx").write_bytes(b"no model")
    with pytest.raises(ModelCorrupt, match=r"bad\.onnx") as refused:
        measure_memory(ModelRef("bad", "1", tmp_path / "bad.onnx", Manifest()), SETTINGS)
    assert refused.value.fix


@pytest.mark.skipif(importlib.util.find_spec("torch") is not None, reason="PyTorch is installed")
def test_a_runtime_that_is_not_installed_is_named(tmp_path: Path) -> None:
    (tmp_path / "net.pt").write_bytes(b"PK")
    with pytest.raises(ConfigError, match=r"(?i)torch is not installed") as refused:
        measure_memory(ModelRef("net", "1", tmp_path / "net.pt", Manifest()), SETTINGS)
    assert refused.value.fix
