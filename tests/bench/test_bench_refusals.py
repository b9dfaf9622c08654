"""What no bench measures: a model that its worker cannot ask, and frames that became no event."""

from __future__ import annotations

from pathlib import Path

import pytest
from click.testing import CliRunner

from tests.model_store.classification.tiny_classifier import write_classifier
from vss.bench.cluster import bench_settings
from vss.bench.pictures import bench_pictures
from vss.bench.served import serve_one
from vss.bench.worker import WorkerBench
from vss.cli.bench.group import bench
from vss.config import KafkaSettings, ModelSettings, Settings
from vss.errors import InferenceFailed, ModelUnsupported, StreamError
from vss.metrics import Metrics
from vss.model_store.resolve import resolve_file
from vss.testing import make_frame
from vss.workers.pictures.kinds import DETECT

NO_BROKER = "127.0.0.1:9"


@pytest.fixture
def classifier(tmp_path: Path) -> Path:
    (tmp_path / "light.yaml").write_text("task: classification\ninput: {mean: [0, 0, 0], std: [1, 1, 1]}\n")
    return write_classifier(tmp_path / "light.onnx", labels=["red", "green", "blue"])


@pytest.fixture
def settings(bootstrap_servers: str) -> Settings:
    return Settings(
        kafka=KafkaSettings(bootstrap_servers=bootstrap_servers), model=ModelSettings(device="cpu", threads=1)
    )


def test_a_detector_is_no_model_for_the_bench_of_classifiers(model: Path) -> None:
    with pytest.raises(ModelUnsupported, match=r"tiny.* is for detection, not for classification") as raised:
        measure("classify", model)
    assert "vss bench detect" in raised.value.fix


@pytest.mark.parametrize("command", ["detect", "memory", "swap"])
def test_a_classifier_is_no_model_for_the_benches_of_detectors(classifier: Path, command: str) -> None:
    with pytest.raises(ModelUnsupported, match=r"light.* is for classification, not for detection") as raised:
        measure(command, classifier)
    assert "vss bench classify" in raised.value.fix


def measure(command: str, model: Path) -> None:
    """Refused before a broker is looked for."""
    arguments = [command, "--model", str(model), "--bootstrap-servers", NO_BROKER]
    CliRunner().invoke(bench, arguments, catch_exceptions=False)


def test_frames_that_become_dead_letters_are_no_measurement(settings: Settings, model: Path) -> None:
    metrics = Metrics()
    serving = serve_one(resolve_file(model), settings.model, metrics, task="detection")
    try:
        with bench_settings(settings, own_cluster=False) as own:
            worker = WorkerBench(own, DETECT, serving, metrics)
            worker.fill([b"no picture"], 8)
            with pytest.raises(InferenceFailed, match=r"8 of 8 frames became no event: .*JPEG"):
                worker.work(8)
    finally:
        serving.close()


def test_events_that_are_not_there_when_read_back_are_no_measurement(
    settings: Settings, model: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(WorkerBench, "committed_events", lambda _: 31)
    jpeg = make_frame("gate").value
    assert jpeg is not None
    with (
        bench_settings(settings, own_cluster=False) as own,
        pytest.raises(StreamError, match="64 frames were worked on, and 31 events are committed"),
    ):
        bench_pictures(own, DETECT, resolve_file(model), [jpeg], (64, 48), rounds=1, frames=32)
