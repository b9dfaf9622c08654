"""Forecasts are held against what came: of the right moment, in the right unit, with bounded memory."""

from __future__ import annotations

import numpy as np
import pytest

from tests.telemetry.numpy_server import NumpyServer, forecast_spec
from tests.telemetry.small_fleet import SmallFleet, Worker
from vss.config import Settings, WindowSettings
from vss.metrics import Metrics
from vss.model_store.tasks.series.results import Forecasts
from vss.schemas.envelope import Message, Record
from vss.schemas.topics import FORECASTS
from vss.streams.windows.batch import Windows
from vss.testing import make_reading
from vss.workers.telemetry import forecast_errors
from vss.workers.telemetry.events import ScoredGroup
from vss.workers.telemetry.forecast_errors import ForecastErrors

MODEL = {"model_name": "pump", "model_version": "2"}


def error(worker: Worker, steps: str, feature: str = "pressure") -> float | None:
    labels = {**MODEL, "feature": feature, "steps": steps}
    return worker.metrics.registry.get_sample_value("vss_forecast_error", labels)


def coverage(worker: Worker, feature: str = "pressure") -> float | None:
    labels = {**MODEL, "feature": feature}
    return worker.metrics.registry.get_sample_value("vss_forecast_interval_coverage", labels)


def reading(seq: int, pressure: float | None, flow: float | None = 0.0) -> Message:
    return make_reading("pump-1", seq, values={"pressure": pressure, "flow": flow})


def run(fleet: SmallFleet, *messages: Message, max_batch: int = 4) -> Worker:
    fleet.produce(*messages)
    with fleet.worker(NumpyServer(forecast_spec(), "forecast"), max_batch=max_batch) as worker:
        worker.turns(40)
    return worker


@pytest.mark.parametrize("max_batch", [1, 3, 100], ids=["one by one", "few", "all at once"])
def test_the_error_is_in_standard_deviations_of_the_window_and_by_step(max_batch: int) -> None:
    # A ramp: the newest value again is off by one step and by two; the deviation of 0, 1, 2, 3 is the root of 1.25.
    worker = run(SmallFleet(), *(reading(seq, float(seq)) for seq in range(30)), max_batch=max_batch)
    assert error(worker, "1") == pytest.approx(1 / np.sqrt(1.25))
    assert error(worker, "2") == pytest.approx(2 / np.sqrt(1.25))
    # The interval is one to either side: it holds the first step alone.
    assert coverage(worker) == pytest.approx(0.5)


def test_a_feature_that_does_not_change_has_no_unit_but_its_interval_counts() -> None:
    worker = run(SmallFleet(), *(reading(seq, float(seq % 2)) for seq in range(20)))
    assert error(worker, "1", "flow") is None
    assert coverage(worker, "flow") == 1.0


def test_what_never_came_is_not_compared() -> None:
    worker = run(SmallFleet(), *(reading(seq, float(seq), None) for seq in range(20)))
    assert coverage(worker, "flow") is None
    assert coverage(worker) == pytest.approx(0.5)


def test_a_reading_after_a_gap_is_held_against_the_step_of_its_moment() -> None:
    # One reading in four never comes: the others still meet the step that foretold their moment.
    moments = [seq for seq in range(60) if seq % 4]
    worker = run(SmallFleet(), *(reading(moment, float(moment)) for moment in moments))
    # The deviations of the windows differ; the distance is that of the moments.
    scale = {1: np.std([1, 2, 3, 5]), 2: np.std([2, 3, 5, 6]), 3: np.std([3, 5, 6, 7])}
    found = error(worker, "1")
    assert found is not None
    assert 1 / max(scale.values()) <= found <= 1 / min(scale.values())
    assert error(worker, "2") == pytest.approx(2 * found, rel=0.2)


def test_a_reading_of_another_pace_is_not_compared() -> None:
    worker = run(SmallFleet(), *(reading(3 * seq, float(seq)) for seq in range(30)))
    assert error(worker, "1") is None
    assert coverage(worker) is None


def strided(*messages: Message) -> Worker:
    fleet = SmallFleet(Settings(windows=WindowSettings(stride=3)))
    return run(fleet, *messages)


def test_with_a_stride_the_end_of_a_window_is_what_came() -> None:
    worker = strided(*(reading(seq, float(seq)) for seq in range(40)))
    assert error(worker, "1") == pytest.approx(1 / np.sqrt(1.25))
    assert error(worker, "2") == pytest.approx(2 / np.sqrt(1.25))
    assert coverage(worker) == pytest.approx(0.5)


def test_with_a_stride_a_window_with_a_gap_is_compared_with_nothing() -> None:
    worker = strided(*(reading(seq + 2 * (seq // 3), float(seq)) for seq in range(60)))
    assert error(worker, "1") is None


def test_each_reading_is_held_against_its_own_step() -> None:
    errors = ForecastErrors(metrics := Metrics())
    foretold = np.array([[[1.0, 1.0], [5.0, 5.0]]], np.float32)
    for seq, newest in enumerate((0.0, 1.0, 5.0)):
        errors.saw(group_of([b"pump-1"], seq * 1000, foretold, newest=newest))
    labels = {**MODEL, "feature": "pressure"}
    assert metrics.registry.get_sample_value("vss_forecast_interval_coverage", labels) == 1.0
    for steps in ("1", "2"):
        assert metrics.registry.get_sample_value("vss_forecast_error", {**labels, "steps": steps}) == 0.0


def test_a_window_that_failed_foretold_nothing() -> None:
    fleet = SmallFleet()
    errors = ForecastErrors(metrics := Metrics())
    nan = np.full((1, 2, 2), np.nan, np.float32)
    for seq in range(3):
        errors.saw(group_of([b"pump-1"], seq * 2000, nan))
    assert not list(next(iter(metrics.forecast_coverage.collect())).samples)
    assert fleet.events(FORECASTS) == []


def test_what_is_kept_is_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(forecast_errors, "_MOST_SENSORS", 10)
    errors = ForecastErrors(Metrics())
    bands = np.zeros((50, 2, 2), np.float32)
    errors.saw(group_of([f"pump-{i}".encode() for i in range(50)], 0, bands))
    assert list(errors._open) == [f"pump-{i}".encode() for i in range(40, 50)]
    assert errors._bytes == sum(one.bands.nbytes for one in errors._open.values())


def test_of_many_versions_the_figures_of_the_newest_are_shown() -> None:
    errors = ForecastErrors(metrics := Metrics())
    bands = np.zeros((1, 2, 2), np.float32)
    for version in range(9):
        for at_ms in (0, 2000):
            errors.saw(group_of([b"pump-1"], 10_000 * version + at_ms, bands, version=str(version)))
    shown = {sample.labels["model_version"] for sample in next(iter(metrics.forecast_coverage.collect())).samples}
    assert shown == {"5", "6", "7", "8"}


def group_of(
    keys: list[bytes],
    end_ms: int,
    bands: np.ndarray[tuple[int, ...], np.dtype[np.float32]],
    *,
    version: str = "2",
    newest: float = 0.0,
) -> ScoredGroup:
    n = len(keys)
    ends = np.full(n, end_ms, np.int64)
    values = np.zeros((n, 4, 2), np.float32)
    values[:, 0] = 1.0
    values[:, -1] = newest
    windows = Windows(values, np.zeros(n, np.int64), np.zeros(n, np.int64), ends - 3000, ends)
    records = [Record("vss.telemetry", 0, i, key, b"") for i, key in enumerate(keys)]
    value = Forecasts(("pressure", "flow"), 2, 1000, 0.9, bands, bands - 1, bands + 1)
    return ScoredGroup(records, windows, np.zeros(n, np.int32), "pump", version, 0.0, 0.0, value)
