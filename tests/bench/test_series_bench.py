"""A worker that looks at windows is measured beside its model, on a real Kafka and as a process of its own."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.bench.bench_command import run
from tests.model_store.series.tiny_series import write_anomaly, write_forecast


@pytest.mark.parametrize("kind", ["anomaly", "forecast"])
def test_both_sides_ages_and_memory_are_measured(kind: str, bootstrap_servers: str, tmp_path: Path) -> None:
    write = write_anomaly if kind == "anomaly" else write_forecast
    model = tmp_path / "tiny.onnx"
    write(model)
    more = ("--seconds", 1, "--rate", 800, "--memory-sensors", 50) if kind == "anomaly" else ("--seconds", 0)
    report = run(
        "series", "--model", model, "--windows", 640, "--sensors", 8, *more, "--bootstrap-servers", bootstrap_servers
    )
    assert report["windows"] == 640
    assert isinstance(report["rounds"], list)
    assert len(report["rounds"]) == 5
    # A model of a few bytes costs far less than a worker.
    assert isinstance(report["cpu_ratio"], float)
    assert 0 < report["cpu_ratio"] < 0.7
    if kind == "anomaly":
        ages, memory = report["ages"], report["memory"]
        assert isinstance(ages, dict)
        assert 0 < ages["p50_ms"] <= ages["p95_ms"] <= ages["p99_ms"]
        assert ages["readings"] > 100
        assert ages["readings_a_second"] == 800
        assert isinstance(memory, dict)
        assert memory["resident_bytes"] > 10_000_000
