from __future__ import annotations

from pathlib import Path

from tests.model_store.series.tiny_series import write_forecast
from vss.config import KafkaSettings, Settings
from vss.workers.checks.doctor import State, examine
from vss.workers.checks.doctor_checks import fleet_checks


def test_a_model_for_readings_says_what_it_looks_at(kafka: KafkaSettings, tmp_path: Path) -> None:
    model = str(write_forecast(tmp_path / "load.onnx"))
    checks = fleet_checks(Settings(kafka=kafka), folder=tmp_path, model=model)
    [found] = [finding for finding in examine(checks) if finding.name == "model"]
    assert found.state is State.OK, found
    assert "load@" in found.detail
    assert "4 readings" in found.detail
