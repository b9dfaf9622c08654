"""Series models served: by columns, routed, swapped between two batches, held to one layout of windows."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from queue import SimpleQueue
from typing import Any

import numpy as np
import pytest

from tests.model_store.series.tiny_series import FEATURES, WINDOW, spec_document, write_anomaly, write_forecast
from tests.model_store.serving.real_models import activation, add_model, serving_of, settings_of
from vss.codecs.canary import on_canary
from vss.errors import ModelUnsupported, UnknownModel
from vss.metrics import Metrics
from vss.model_store.manifest import Manifest
from vss.model_store.serving.serving import Serving
from vss.model_store.serving.windows import Scoring
from vss.model_store.store import ModelStore
from vss.model_store.tasks.series.results import AnomalyScores, ScoredWindows
from vss.schemas.models import ServingLimits

KEYS = [f"pump-{i}".encode() for i in range(40)]


def add(folder: Path, name: str = "pump", **written: Any) -> str:
    """The next version of an anomaly model; returns its number."""
    file = write_anomaly(folder / f"{name}.onnx", **written)
    return ModelStore.of(settings_of(folder)).add(file, name, Manifest(task="anomaly"), check=lambda _: None).version


def ones(count: int = len(KEYS), window: int = WINDOW) -> np.ndarray[Any, np.dtype[np.float32]]:
    return np.ones((count, window, len(FEATURES)), np.float32)


def scores(
    serving: Serving, keys: list[bytes] = KEYS, models: list[str | None] | None = None
) -> list[tuple[str, float]]:
    """The version that answered each window, and its score."""
    found: list[tuple[str, float]] = [("", -1.0)] * len(keys)
    for scoring in serving.submit_windows(ones(len(keys)), keys, models, "anomaly"):
        scored = answered(scoring)
        assert isinstance(scored.value, AnomalyScores)
        for place, score in zip(scoring.places.tolist(), scored.value.score.tolist(), strict=True):
            assert found[place] == ("", -1.0), "every window is in one scoring"
            found[place] = (f"{scored.name}@{scored.version}", score)
    return found


def answered(scoring: Scoring) -> ScoredWindows:
    return scoring.future.result(20)


@pytest.fixture
def serving(tmp_path: Path) -> Iterator[Serving]:
    for gain in (1.0, 2.0):
        add(tmp_path, gain=gain)
    serving = serving_of(tmp_path)
    serving.apply(activation("pump", "1"), given_up=False)
    serving.serve("pump", "anomaly")
    yield serving
    serving.close()


def swap(serving: Serving, version: str, **more: Any) -> Any:
    return serving.apply(activation("pump", version, **more), given_up=False).result(20)


def test_all_windows_of_a_batch_that_one_version_answers_are_one_scoring(serving: Serving) -> None:
    scorings = serving.submit_windows(ones(), KEYS, None, "anomaly")

    assert [scoring.places.tolist() for scoring in scorings] == [list(range(len(KEYS)))]
    assert scores(serving) == [("pump@1", 1.0)] * len(KEYS)
    assert serving.submit_windows(ones(0), [], None, "anomaly") == []


def test_the_layout_that_windows_are_kept_by_is_the_models(serving: Serving) -> None:
    assert serving.series_spec("pump", "anomaly").layout == (FEATURES, WINDOW, 1000)
    with pytest.raises(ModelUnsupported, match="no model for forecast"):
        serving.series_spec("pump", "forecast")


def test_another_version_takes_over_and_a_rollback_brings_the_first_back(serving: Serving) -> None:
    assert swap(serving, "2").swapped
    assert set(scores(serving)) == {("pump@2", 2.0)}
    assert swap(serving, "1").swapped
    assert set(scores(serving)) == {("pump@1", 1.0)}


def test_a_canary_answers_its_share_of_the_sensors(serving: Serving) -> None:
    swap(serving, "2", stable="1", percent=30)

    assert scores(serving) == [("pump@2", 2.0) if on_canary("pump", key, 30) else ("pump@1", 1.0) for key in KEYS]
    assert len(set(scores(serving))) == 2


@pytest.mark.parametrize(
    ("spec", "window", "says"),
    [
        (spec_document(window=5), 5, "window 5 instead of 4"),
        (spec_document(features=["flow", "pressure"]), WINDOW, "features in the order flow, pressure"),
        (spec_document(period_ms=500), WINDOW, "period 500 ms instead of 1000 ms"),
    ],
)
def test_a_version_of_another_layout_is_refused_and_the_old_one_goes_on(
    serving: Serving, tmp_path: Path, spec: dict[str, Any], window: int, says: str
) -> None:
    version = add(tmp_path, spec=spec, shape=["n", window, 2])

    result = swap(serving, version, stable="1")

    assert (result.swapped, result.serving, result.may_pass) == (False, "1", False)
    assert says in result.reason
    assert "pump@1" in result.reason
    assert "restart the group" in result.reason
    assert set(scores(serving)) == {("pump@1", 1.0)}
    assert swap(serving, "2").swapped, "what fits still swaps"


def test_records_choose_a_model_by_header_and_one_that_does_not_fit_fails_them_alone(
    serving: Serving, tmp_path: Path
) -> None:
    add(tmp_path, "valve", gain=3)
    add(tmp_path, "wide", spec=spec_document(window=5), shape=["n", 5, 2])
    add_model(tmp_path, "gate")
    models = [None, "valve", "valve@1", "wide", "gate", "nobody", None, "valve"]
    scorings = serving.submit_windows(ones(8), KEYS[:8], models, "anomaly")

    found: dict[int, str] = {}
    for scoring in scorings:
        error = scoring.future.exception(20)
        for place in scoring.places.tolist():
            found[place] = str(error) if error is not None else answered(scoring).name
            assert error is None or isinstance(error, UnknownModel)
    assert [found[place] for place in (0, 1, 2, 6, 7)] == ["pump", "valve", "valve", "pump", "valve"]
    assert "window 5 instead of 4" in found[3]
    assert "is for detection, not for anomaly" in found[4]
    assert "nobody" in found[5]
    # Once it is open, its windows are one scoring again.
    assert len(serving.submit_windows(ones(8), KEYS[:8], ["valve"] * 8, "anomaly")) == 1


def test_keys_choose_a_model_by_pattern(tmp_path: Path) -> None:
    add(tmp_path)
    add(tmp_path, "valve", gain=3)
    serving = serving_of(tmp_path, routes={"pump-1*": "valve"})
    try:
        serving.serve("pump", "anomaly")
        assert scores(serving) == [("valve@1", 3.0) if key.startswith(b"pump-1") else ("pump@1", 1.0) for key in KEYS]
        assert len(serving.submit_windows(ones(), KEYS, None, "anomaly")) == 2
    finally:
        serving.close()


def test_a_route_to_a_model_of_another_layout_is_said_at_the_start(tmp_path: Path) -> None:
    add(tmp_path)
    add(tmp_path, "wide", spec=spec_document(window=5), shape=["n", 5, 2])
    serving = serving_of(tmp_path, routes={"pump-1*": "wide"})
    try:
        with pytest.raises(ModelUnsupported, match=r"wide@1 looks at other windows than pump@1.*window 5 instead of 4"):
            serving.serve("pump", "anomaly")
    finally:
        serving.close()


def test_a_candidate_that_gives_no_numbers_is_rolled_back(tmp_path: Path) -> None:
    add(tmp_path)
    add(tmp_path, gain=1e38)
    told: SimpleQueue[str] = SimpleQueue()
    serving = serving_of(tmp_path)
    serving.on_breach = lambda breach: told.put(breach.reason)
    try:
        serving.apply(activation("pump", "1"), given_up=False)
        serving.serve("pump", "anomaly")
        limits = ServingLimits(max_error_rate=0.1, max_p95_ms=None, min_requests=20)
        swap(serving, "2", stable="1", limits=limits)
        [scoring] = serving.submit_windows(10 * ones(), KEYS, None, "anomaly")
        assert len(answered(scoring).failed) == len(KEYS)

        assert set(scores(serving)) == {("pump@1", 1.0)}
        # Told on the loader's thread, which a close would not wait for.
        assert told.get(timeout=20) == "100.0% of the last 20 records failed, the limit is 10.0%"
    finally:
        serving.close()
    assert told.empty()


def test_a_candidate_that_keeps_its_limits_passes(serving: Serving) -> None:
    swap(serving, "2", stable="1", limits=ServingLimits(max_error_rate=0.1, max_p95_ms=10_000, min_requests=3))
    scores(serving)

    assert set(scores(serving)) == {("pump@2", 2.0)}


def test_a_version_that_divides_by_what_does_not_change_never_serves(serving: Serving, tmp_path: Path) -> None:
    version = add(tmp_path, divide=True)

    result = swap(serving, version, stable="1")

    assert not result.swapped
    assert "fails on a window of zeros" in result.reason
    assert set(scores(serving)) == {("pump@1", 1.0)}


def test_a_model_that_had_to_go_for_another_comes_back(tmp_path: Path) -> None:
    for name in ("pump", "valve"):
        add(tmp_path, name)
    metrics = Metrics()
    serving = serving_of(tmp_path, metrics=metrics, max_loaded=1)
    try:
        serving.serve("pump", "anomaly")
        assert scores(serving, KEYS[:3], ["valve"] * 3) == [("valve@1", 1.0)] * 3
        assert scores(serving) == [("pump@1", 1.0)] * len(KEYS)
        assert len(serving.submit_windows(ones(), KEYS, None, "anomaly")) == 1
    finally:
        serving.close()
    assert (metrics.registry.get_sample_value("vss_model_unloads_total", {"model_name": "pump"}) or 0) >= 1


def test_a_forecast_is_served_alike(tmp_path: Path) -> None:
    file = write_forecast(tmp_path / "f.onnx")
    ModelStore.of(settings_of(tmp_path)).add(file, "flow", Manifest(task="forecast"), check=lambda _: None)
    serving = serving_of(tmp_path)
    try:
        serving.serve("flow", "forecast")
        [scoring] = serving.submit_windows(ones(), KEYS, None, "forecast")
        assert not answered(scoring).failed
        with pytest.raises(UnknownModel, match="no model is for anomaly"):
            serving.submit_windows(ones(), KEYS, None, "anomaly")[0].future.result(20)
    finally:
        serving.close()
