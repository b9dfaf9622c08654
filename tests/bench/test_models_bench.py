from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner

from tests.bench.bench_command import run
from tests.model_store.detection.tiny_models import write_model, yolov8_output
from vss.bench import models as bench_module
from vss.bench.models import bench_models
from vss.cli.bench.group import bench
from vss.config import ModelSettings
from vss.errors import ConfigError
from vss.model_store.evaluation.footprint import LoadTime
from vss.model_store.evaluation.usage import Usage
from vss.model_store.manifest import Manifest
from vss.model_store.resolve import ModelRef


def write(path: Path, **shape: Any) -> Path:
    return write_model(path, yolov8_output((32, 32, 16, 8, 1, 0.9)), **shape)


def test_each_batch_size_is_measured(tmp_path: Path) -> None:
    file = write(tmp_path / "any.onnx")
    flags = ("--devices", "cpu", "--batches", "4,1", "--rounds", 2, "--pictures", 8)
    costs: Any = run("models", "--model", file, *flags)
    (found,) = costs
    assert (found["model"], found["device"], [b["batch"] for b in found["batches"]]) == ("any", "cpu", [1, 4])
    assert found["load_ms"] > 0
    assert found["warm_ms"] > 0
    assert found["resident_bytes"] > 0
    for batch in found["batches"]:
        assert batch["cpu_ms_a_picture"] > 0
        waited_ms = batch["ms_a_picture"] * batch["batch"] * found["callers"]
        assert batch["ms_a_call"] == pytest.approx(waited_ms, rel=0.5, abs=0.05)


def test_all_take_turns_in_every_round_and_the_median_counts(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    turns: list[tuple[str, int]] = []
    seconds = iter([9.0] * 3 + [1.0, 2.0, 3.0] + [50.0, 20.0, 30.0] + [1.0, 2.0, 4.0])

    class Fake:
        def __init__(self, runner: Any, _jpegs: object, *, batch: int) -> None:
            turns.append((runner.name, batch))

        def run(self, _pictures: int) -> Usage:
            taken_s = next(seconds)
            return Usage(taken_s, taken_s)

    monkeypatch.setattr(bench_module, "RawModel", Fake)
    monkeypatch.setattr(bench_module, "measure_load", lambda *_: LoadTime(0.1, 0.2))
    monkeypatch.setattr(bench_module, "measure_memory", lambda *_: 7)
    refs = [
        ModelRef("any", "1", write(tmp_path / "any.onnx"), Manifest()),
        ModelRef("fixed", "1", write(tmp_path / "fixed.onnx", batch=2), Manifest()),
    ]
    rounds: list[int] = []
    settings = ModelSettings(threads=1)
    costs = bench_models(refs, settings, [], devices=["cpu"], batches=[2, 1, 2], rounds=3, on_step=rounds.append)
    # The round before the first warms up and is not counted.
    assert turns == [("any", 1), ("any", 2), ("fixed", 2)] * 4
    assert len(rounds) == 3
    assert [[(b.batch, b.cpu_ms) for b in cost.batches] for cost in costs] == [[(1, 1000), (2, 2000)], [(2, 4000)]]
    assert (costs[0].load.warm_s, costs[0].resident_bytes) == (0.2, 7)


def test_a_device_that_is_not_there_is_an_error_only_when_it_was_asked_for(model: Path) -> None:
    with pytest.raises(ConfigError, match=r"cannot use cuda|could not start cuda") as refused:
        CliRunner().invoke(bench, ["models", "--model", str(model), "--devices", "cuda"], catch_exceptions=False)
    assert refused.value.fix


@pytest.mark.parametrize("batches", ["", "0", "2,x", "5000"])
def test_what_is_no_list_of_batch_sizes_is_refused(batches: str) -> None:
    result = CliRunner().invoke(bench, ["models", "--batches", batches])
    assert result.exit_code == 2
    assert "is no list of batch sizes" in result.output
