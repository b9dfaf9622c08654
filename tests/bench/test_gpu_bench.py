"""The bench of a GPU, on a CPU: what it measures needs none, and the command says what is missing."""

from __future__ import annotations

import uuid
from pathlib import Path

import numpy as np
import onnx
import onnxruntime
import pytest
from click.testing import CliRunner

from tests.model_store.detection.tiny_models import write_model, yolov8_output
from vss.bench.any_batch import with_any_batch
from vss.bench.frames import make_jpegs
from vss.bench.gpu import Load, bench_gpu
from vss.cli.bench.group import bench
from vss.config import KafkaSettings, ModelSettings, Settings
from vss.errors import ConfigError
from vss.model_store.resolve import resolve_file
from vss.workers.pictures.kinds import DETECT

OUTPUT = yolov8_output((32, 32, 16, 8, 1, 0.9))


def test_a_model_alone_and_its_worker_are_measured(bootstrap_servers: str, model: Path) -> None:
    settings = Settings(
        kafka=KafkaSettings(bootstrap_servers=bootstrap_servers, topic_prefix=f"{uuid.uuid4().hex}."),
        model=ModelSettings(device="cpu"),
    )
    steps: list[str] = []
    report = bench_gpu(
        settings,
        [(DETECT, resolve_file(model), Load(calls=20, frames=32, frames_a_second=40, seconds=1))],
        make_jpegs(None, (64, 48)),
        on_step=steps.append,
    )
    (measured,) = report.models
    assert [speed.batch for speed in measured.alone] == [1, 4, 8, 16, 32]
    assert all(0 < speed.p50_ms <= speed.p95_ms and speed.pictures_a_second > 0 for speed in measured.alone)
    assert measured.events == 2 * 32
    assert measured.ages.frames == 40
    assert 0 < measured.ages.p50_ms <= measured.ages.p95_ms <= measured.ages.p99_ms < 60_000
    assert (measured.task, measured.takes_pixels, measured.cuda_graphs) == ("detection", False, False)
    assert report.device.onnxruntime == onnxruntime.__version__
    assert len(steps) == 8


def test_without_a_gpu_the_command_says_what_to_do() -> None:
    if "CUDAExecutionProvider" in onnxruntime.get_available_providers():
        pytest.skip("this onnxruntime has CUDA")
    with pytest.raises(ConfigError, match="needs a GPU") as raised:
        CliRunner().invoke(bench, ["gpu"], catch_exceptions=False)
    assert "vss-fleet[gpu]" in raised.value.fix


def test_a_detector_exported_for_one_picture_takes_several(shared_data: Path, tmp_path: Path) -> None:
    ref = resolve_file(shared_data / "models" / "yolox_nano.onnx")
    opened = with_any_batch(ref, tmp_path)
    assert (opened.name, opened.version) == (ref.name, ref.version)
    session = onnxruntime.InferenceSession(str(opened.file))
    side = session.get_inputs()[0].shape[-1]
    assert session.run(None, {"images": np.zeros((3, 3, side, side), np.float32)})[0].shape[0] == 3


def test_a_model_that_says_something_else_in_company_stays_as_it_is(tmp_path: Path) -> None:
    ref = resolve_file(write_model(tmp_path / "m.onnx", OUTPUT, batch=1))
    model = onnx.load(str(ref.file))
    # The mean of all pictures instead of each one's.
    axes = next(value for value in model.graph.initializer if value.name == "axes")
    axes.CopyFrom(onnx.numpy_helper.from_array(np.array([0, 1, 2, 3], np.int64), "axes"))
    behind = next(value for value in model.graph.initializer if value.name == "behind")
    behind.CopyFrom(onnx.numpy_helper.from_array(np.array([0, 1, 2], np.int64), "behind"))
    onnx.save(model, str(ref.file))
    (tmp_path / "opened").mkdir()
    assert with_any_batch(ref, tmp_path / "opened") == ref


def test_a_model_that_takes_any_number_stays_as_it_is(tmp_path: Path) -> None:
    ref = resolve_file(write_model(tmp_path / "m.onnx", OUTPUT))
    assert with_any_batch(ref, tmp_path) == ref
