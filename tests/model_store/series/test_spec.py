from __future__ import annotations

import json
from typing import Any

import pytest

from vss.errors import ConfigError, ModelUnsupported
from vss.model_store.manifest import Manifest
from vss.model_store.series_task import METADATA_KEY
from vss.model_store.tasks.series.spec import (
    MANUAL_THRESHOLD,
    SeriesSpec,
    differing_layout,
    known_series_keys,
    read_series_spec,
    require_input,
)

PUMP: dict[str, Any] = {
    "features": ["pressure", "flow"],
    "window": 100,
    "period_ms": 1000,
    "fallback": [1.5, 20.0],
    "threshold": 2.0,
    "levels": {"low": 2.0, "medium": 3.0, "high": 4.0, "critical": 8.0},
    "ranges": {"flow": [0.0, 40.0]},
    "kind": "lstm-autoencoder",
    "trained": {"rows": 5000, "seed": 7, "metrics": {"loss": 0.01}},
}
ANOMALY = Manifest(task="anomaly")


def metadata(**changes: Any) -> dict[str, str]:
    return {METADATA_KEY: json.dumps({**PUMP, **changes})}


def manifest(task: str = "anomaly", **series: Any) -> Manifest:
    return Manifest.model_validate({"task": task, "series": series})


def test_a_spec_goes_into_a_file_and_comes_out_the_same() -> None:
    spec = SeriesSpec.model_validate(PUMP)

    assert read_series_spec(spec.to_metadata(), ANOMALY) == spec
    assert spec.layout == (("pressure", "flow"), 100, 1000)


def test_a_threshold_set_by_hand_takes_the_trained_levels_along() -> None:
    spec = read_series_spec(metadata(), manifest(threshold=3.0))

    assert spec.threshold == 3.0
    assert spec.scores_of_levels == (3.0, 4.5, 6.0, 12.0)
    louder = read_series_spec(metadata(), manifest(threshold=3.0), threshold=4.0)
    assert (louder.threshold, louder.scores_of_levels) == (4.0, (4.0, 6.0, 8.0, 16.0))


def test_levels_ranges_and_the_rule_for_missing_values_can_be_set_by_hand() -> None:
    levels = {"low": 2.0, "medium": 2.5, "high": 3.0, "critical": 3.5}

    spec = read_series_spec(metadata(), manifest(levels=levels, impute="mean", ranges={"pressure": [0, 9]}))

    assert spec.scores_of_levels == (2.0, 2.5, 3.0, 3.5)
    assert spec.impute == "mean"
    assert spec.ranges == {"pressure": (0.0, 9.0)}


def test_severity_is_none_up_to_the_threshold_and_at_least_low_above_it() -> None:
    spec = read_series_spec(metadata(levels={"low": 3, "medium": 3, "high": 4, "critical": 8}), ANOMALY)

    assert [spec.severity(score) for score in (0.0, 2.0, 2.1, 3.0, 4.0, 7.9, 8.0, 1e9)] == [
        "none", "none", "low", "medium", "high", "high", "critical", "critical",
    ]  # fmt: skip


def test_a_model_from_elsewhere_is_described_by_its_manifest_alone() -> None:
    spec = read_series_spec({}, manifest(features=["a", "b"], window=10, fallback=[0, 1]))

    assert spec.threshold == MANUAL_THRESHOLD == 0.1
    assert spec.scores_of_levels == pytest.approx((0.1, 0.15, 0.2, 0.3))
    assert spec.period_ms is None


@pytest.mark.parametrize(
    ("file", "by_hand", "error", "says", "fix"),
    [
        ({}, {}, ModelUnsupported, "no metadata vss.series", "vss train"),
        ({}, {"threshold": 1.0}, ModelUnsupported, "no metadata vss.series", "vss train"),
        ({}, {"window": 10, "fallback": [1]}, ConfigError, "features is missing", "vss train"),
        ({METADATA_KEY: "{"}, {}, ModelUnsupported, "is no JSON", "again"),
        ({METADATA_KEY: "[1]"}, {}, ModelUnsupported, "no JSON object", "again"),
        ({METADATA_KEY: " " * (2 << 20)}, {}, ModelUnsupported, "larger than 1 MiB", "again"),
        (metadata(features=[]), {}, ModelUnsupported, "features", "again"),
        (metadata(features=["a", "a"]), {}, ModelUnsupported, "a is there twice", "again"),
        (metadata(fallback=[1]), {}, ModelUnsupported, "1 numbers for 2 features", "again"),
        (metadata(fallback=[float("nan"), 1]), {}, ModelUnsupported, "fallback", "again"),
        (metadata(period_ms=10**30), {}, ModelUnsupported, "period_ms", "again"),
        (metadata(period_ms=31_622_400_000, horizon=1001), {}, ModelUnsupported, "more than 1000 years", "again"),
        (metadata(windows=3), {}, ModelUnsupported, "unknown key windows", "did you mean window?"),
        (metadata(threshold=0), {}, ModelUnsupported, "threshold", "again"),
        (metadata(ranges={"flw": [0, 1]}), {}, ModelUnsupported, "flw is no feature", "again"),
        (metadata(ranges={"flow": [1, 1]}), {}, ModelUnsupported, "1 is not below 1", "again"),
        (metadata(levels={"low": 2, "medium": 1, "high": 3, "critical": 4}), {}, ModelUnsupported, "ascend", "again"),
        (metadata(), {"levels": {"low": 1.0}}, ConfigError, "levels.medium is missing", ""),
        (metadata(), {"ranges": {"flw": [0, 1]}}, ConfigError, "did you mean flow?", "model.yaml"),
        (metadata(), {"window": 50}, ConfigError, "series.window in model.yaml is 50", "remove series.window"),
        (metadata(), {"features": ["flow", "pressure"]}, ConfigError, "was trained with", "remove series.features"),
    ],
)
def test_what_does_not_fit_is_one_line_with_the_fix(
    file: dict[str, str], by_hand: dict[str, Any], error: type[Exception], says: str, fix: str
) -> None:
    with pytest.raises(error) as raised:
        read_series_spec(file, manifest(**by_hand), where="pump.onnx")

    assert says in str(raised.value)
    assert fix in raised.value.fix  # type: ignore[attr-defined]
    assert "\n" not in str(raised.value)


def test_a_forecast_has_to_say_its_horizon_and_period() -> None:
    with pytest.raises(ModelUnsupported, match="its horizon"):
        read_series_spec(metadata(), manifest("forecast"))
    with pytest.raises(ModelUnsupported, match="its period_ms"):
        read_series_spec(metadata(horizon=6, period_ms=None), manifest("forecast"))

    assert read_series_spec(metadata(horizon=6), manifest("forecast")).horizon == 6


@pytest.mark.parametrize("shape", [(None, 100, 2), (None, None, None)])
def test_an_input_of_the_layout_is_taken(shape: tuple[int | None, ...]) -> None:
    require_input(SeriesSpec.model_validate(PUMP), shape, "pump.onnx")


@pytest.mark.parametrize(
    ("shape", "says"),
    [
        ((None, 100, 3), r"\(n, 100, 3\), but it says window 100 and 2 features"),
        ((None, 2, 100), "window 100"),
        ((None, 100), "window 100"),
        ((1, 100, 2), "1 windows at once"),
    ],
)
def test_an_input_of_another_layout_is_refused(shape: tuple[int | None, ...], says: str) -> None:
    with pytest.raises(ModelUnsupported, match=says):
        require_input(SeriesSpec.model_validate(PUMP), shape, "pump.onnx")


def test_layouts_that_differ_say_in_what() -> None:
    ours = (("a", "b"), 10, 1000)

    assert differing_layout(ours, ours) == ""
    assert differing_layout(ours, (("a", "b"), 20, 1000)) == "window 20 instead of 10"
    assert differing_layout(ours, (("a", "b"), 10, None)) == "period none instead of 1000 ms"
    assert differing_layout(ours, (("b", "a"), 10, 1000)) == "features in the order b, a instead of a, b"
    assert differing_layout(ours, (("a", "c"), 20, 1000)) == "features without b and also c, window 20 instead of 10"


def test_every_key_of_the_manifest_is_one_of_a_spec() -> None:
    assert known_series_keys() | {"trained"} == set(SeriesSpec.model_fields)
