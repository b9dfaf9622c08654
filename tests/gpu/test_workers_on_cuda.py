"""Serving, its memory and the bench on a real GPU."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from click.testing import CliRunner

from tests.gpu.device import needs_gpu
from vss.bench.networks import make_network
from vss.cli.bench.group import bench
from vss.config import ModelSettings
from vss.errors import ModelTooLarge
from vss.logs import get_logger
from vss.metrics import Metrics
from vss.model_store.serving.serving import Serving

pytestmark = needs_gpu


def serving(metrics: Metrics, **settings: object) -> Serving:
    model = ModelSettings.model_validate({"device": "cuda"} | settings)
    return Serving.of(model, metrics=metrics, logger=get_logger("test"))


def test_what_is_held_on_the_gpu_is_shown(tmp_path: Path) -> None:
    metrics = Metrics()
    one = serving(metrics)
    one.serve(str(make_network("resnet20", tmp_path).file), "classification")
    assert (metrics.registry.get_sample_value("gpu_memory_usage_bytes") or 0) > 1 << 20
    one.close()


def test_a_model_that_would_not_fit_is_refused_before_it_is_loaded(tmp_path: Path) -> None:
    one = serving(Metrics(), max_accelerator_bytes=1 << 20)
    with pytest.raises(ModelTooLarge):
        one.serve(str(make_network("resnet18", tmp_path).file), "classification")
    one.close()


@pytest.mark.slow
@pytest.mark.parametrize("options", [[], ["--cuda-graphs"]], ids=["plain", "graphs"])
def test_the_bench_measures_a_detector_and_a_classifier(
    bootstrap_servers: str, shared_data: Path, options: list[str]
) -> None:
    arguments = ["gpu", "--model", str(shared_data / "models" / "yolov8n.onnx"), "--calls", "20", "--frames", "64"]
    arguments += ["--rate", "20", "--classifier-rate", "20", "--seconds", "2", "--json"]
    result = CliRunner().invoke(
        bench, [*arguments, *options, "--bootstrap-servers", bootstrap_servers], catch_exceptions=False
    )
    assert result.exit_code == 0
    report = json.loads(result.stdout)
    assert report["device"]["name"]
    detector, classifier = report["models"]
    assert [speed["batch"] for speed in detector["alone"]] == [1, 4, 8, 16, 32]
    assert detector["takes_pixels"]
    assert detector["cuda_graphs"] == bool(options)
    assert classifier["ages"]["frames"] == 40
