from __future__ import annotations

from pathlib import Path

import onnx
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.model_store.series.tiny_series import write_anomaly, write_forecast
from tests.model_store.tiny_model import write_tiny_yolov8
from vss.model_store.onnx_metadata import read_onnx_metadata
from vss.model_store.resolve import manifest_beside, resolve_file
from vss.model_store.series_task import series_task_in


def test_a_file_says_which_task_it_has(tmp_path: Path) -> None:
    assert series_task_in(write_anomaly(tmp_path / "a.onnx")) == "anomaly"
    assert series_task_in(write_forecast(tmp_path / "f.onnx")) == "forecast"
    assert series_task_in(write_tiny_yolov8(tmp_path / "p.onnx")) is None
    assert series_task_in(write_anomaly(tmp_path / "n.onnx", spec={})) is None
    assert series_task_in(tmp_path / "missing.onnx") is None


def test_a_series_model_needs_no_manifest_beside_it(tmp_path: Path) -> None:
    file = write_anomaly(tmp_path / "pump.onnx")

    assert resolve_file(file).manifest.task == "anomaly"
    (tmp_path / "pump.yaml").write_text("series: {threshold: 2}\n")
    manifest = manifest_beside(file)
    assert (manifest.task, manifest.series.threshold) == ("anomaly", 2)
    (tmp_path / "pump.yaml").write_text("task: detection\n")
    assert manifest_beside(file).task == "detection", "what is written holds"


def test_every_value_is_found_as_onnx_reads_it(tmp_path: Path) -> None:
    file = write_anomaly(tmp_path / "a.onnx")
    model = onnx.load(file)
    written = {"first": "", "second": "é" * 300, "vss.series": model.metadata_props[0].value}
    onnx.helper.set_model_props(model, written)
    onnx.save(model, file)

    assert {key: read_onnx_metadata(file, key, max_bytes=5000) for key in written} == written
    assert read_onnx_metadata(file, "third", max_bytes=5000) is None
    assert read_onnx_metadata(file, "second", max_bytes=100) is None


@pytest.mark.parametrize(
    "content", [b"", b"\x00", b"\xff" * 100, b"\x72\xff\xff\xff\xff\x7f", b"\x72\x02\x0a\x7f", b"GIF89a"]
)
def test_what_is_no_onnx_file_says_nothing(tmp_path: Path, content: bytes) -> None:
    file = tmp_path / "x.onnx"
    file.write_bytes(content)

    assert series_task_in(file) is None


@settings(max_examples=200, deadline=None)
@given(content=st.binary(max_size=200), at=st.integers(0, 10_000))
def test_no_bytes_whatever_are_an_error(tmp_path_factory: pytest.TempPathFactory, content: bytes, at: int) -> None:
    file = tmp_path_factory.getbasetemp() / "fuzzed.onnx"
    whole = write_anomaly(file).read_bytes()
    place = at % len(whole)
    file.write_bytes(whole[:place] + content + whole[place + len(content) :])

    assert series_task_in(file) in (None, "anomaly", "forecast")
