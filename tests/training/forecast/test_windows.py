from __future__ import annotations

import numpy as np
import pytest

from tests.training.forecast.readings import PERIOD_MS, data_of, waves
from vss.errors import ConfigError
from vss.training.data.series import SensorSeries, TrainingData
from vss.training.forecast.split import Parts, make_parts
from vss.training.forecast.windows import NONE, ForecastWindows, Scaling, cut_windows

HOUR_MS = 3_600_000


def numbered(rows: int, *, period_ms: int = PERIOD_MS) -> TrainingData:
    """Readings whose value is the number of their row."""
    ts_ms = np.arange(rows, dtype=np.int64) * period_ms
    values = np.arange(rows, dtype=np.float64)[:, None]
    return TrainingData(("row",), (SensorSeries("a", ts_ms, values),), period_ms, "", "numbered")


def plain(data: TrainingData, borders: tuple[int, ...], lookback: int, horizon: int) -> tuple[ForecastWindows, ...]:
    """Windows of values that stay as they are."""
    features = len(data.features)
    scaling = Scaling(np.zeros(features), np.ones(features))
    return cut_windows(data, [borders], scaling, lookback=lookback, horizon=horizon)


def test_the_windows_of_ett_are_those_of_the_literature() -> None:
    parts = make_parts(numbered(17_420, period_ms=HOUR_MS), "ett", lookback=336, horizon=96)
    assert parts.rows == (8_640, 1_440, 1_440, 2_880)
    assert len(parts.training) == 8_640 - 336 - 96 + 1
    assert len(parts.validation) == len(parts.calibration) == 1_440 - 96 + 1
    assert len(parts.test) == 2_785


def test_the_first_test_window_looks_back_and_the_last_ends_with_the_test_months() -> None:
    parts = make_parts(numbered(17_420, period_ms=HOUR_MS), "ett", lookback=336, horizon=96)
    inputs, followed, known = parts.test.take(np.array([0, 2_784]))
    scaling = parts.scaling
    rows = np.rint(inputs * scaling.deviation + scaling.mean)[..., 0]
    steps = np.rint(followed * scaling.deviation + scaling.mean)[..., 0]
    assert known.all()
    assert (rows[0, 0], rows[0, -1], steps[0, 0]) == (11_520 - 336, 11_519, 11_520)
    assert steps[1, -1] == 14_399


def test_quarter_hours_have_four_times_the_rows() -> None:
    parts = make_parts(numbered(69_680, period_ms=HOUR_MS // 4), "ett", lookback=336, horizon=96)
    assert parts.rows == (34_560, 5_760, 5_760, 11_520)


def test_only_training_rows_standardise() -> None:
    values = np.concatenate([np.array([0.0, 2.0] * 350), np.full(300, 1e6)])[:, None]
    parts = make_parts(data_of(values), "shares", lookback=5, horizon=2)
    assert parts.scaling.mean == pytest.approx(1.0)
    assert parts.scaling.deviation == pytest.approx(1.0)


def test_nothing_that_is_foretold_in_one_part_is_in_another() -> None:
    parts = make_parts(data_of(waves(500), waves(300, seed=1)), "shares", lookback=20, horizon=7)
    seen = [set(part.targets.ravel().tolist()) for part in _all(parts)]
    assert all(not first & second for at, first in enumerate(seen) for second in seen[at + 1 :])
    # No training window looks at a row that a later part foretells, of its own sensor.
    first_rows = parts.training.ends
    assert max(first_rows[first_rows < 500]) + 7 < 350
    assert max(first_rows) + 7 < 500 + 210


def test_what_followed_is_placed_by_time_not_by_row() -> None:
    kept = [row for row in range(40) if row not in (20, 21)]
    ts_ms = np.array(kept, np.int64) * PERIOD_MS
    values = np.array(kept, np.float64)[:, None]
    (part,) = plain(data_of(values, times=ts_ms), (0, 38), 3, 4)
    place = int(np.flatnonzero(part.values[part.ends, 0] == 18)[0])
    inputs, followed, known = part.take(np.array([place]))
    assert inputs[0, :, 0].tolist() == [16, 17, 18]
    assert known[0, :, 0].tolist() == [True, False, False, True]
    assert followed[0, [0, 3], 0].tolist() == [19, 22]
    assert followed[0, 1:3, 0].tolist() == [19, 19]  # a stand-in, which nothing counts
    # A window may itself lie over a short hole: it is readings in a row, as a worker keeps them.
    place = int(np.flatnonzero(part.values[part.ends, 0] == 22)[0])
    assert part.take(np.array([place]))[0][0, :, 0].tolist() == [18, 19, 22]


def test_a_long_hole_parts_the_readings() -> None:
    ts_ms = np.concatenate([np.arange(20), np.arange(31, 51)]).astype(np.int64) * PERIOD_MS
    values = np.arange(40, dtype=np.float64)[:, None]
    (part,) = plain(data_of(values, times=ts_ms), (0, 40), 5, 3)
    assert len(part) == 2 * (20 - 5 - 3 + 1)
    for inputs, followed, known in part.batches(100):
        rows = np.concatenate([inputs, followed], axis=1)[..., 0]
        assert known.all()
        assert ((rows < 20).all(axis=1) | (rows >= 20).all(axis=1)).all()


def test_a_jittered_clock_changes_nothing() -> None:
    rng = np.random.default_rng(3)
    ts_ms = np.arange(100, dtype=np.int64) * PERIOD_MS + rng.integers(-200, 200, 100)
    (part,) = plain(data_of(np.arange(100, dtype=np.float64)[:, None], times=ts_ms), (0, 100), 5, 6)
    assert len(part) >= 88
    assert (part.targets == part.ends[:, None] + np.arange(1, 7)).all()


def test_a_missing_value_is_filled_in_windows_and_unknown_in_what_follows() -> None:
    values = np.arange(30, dtype=np.float64)[:, None]
    values[10] = np.nan
    (part,) = plain(data_of(values), (0, 30), 3, 2)
    inputs, _, _ = part.take(np.flatnonzero(part.ends == 11))
    assert inputs[0, :, 0].tolist() == [9, 9, 11]
    _, _, known = part.take(np.flatnonzero(part.ends == 9))
    assert known[0, :, 0].tolist() == [False, True]


def test_thinned_windows_are_spread_over_all() -> None:
    (part,) = plain(numbered(1_000), (0, 1_000), 5, 2)
    few = part.thinned(100)
    assert 90 <= len(few) <= 100
    assert few.ends[0] == part.ends[0]
    assert few.ends[-1] > 980
    assert len(part.thinned(10**6)) == len(part)
    assert NONE not in few.targets


@pytest.mark.parametrize(
    ("rows", "lookback", "horizon", "says"),
    [(20, 24, 6, "14 for training"), (200, 24, 30, "validation"), (400, 24, 60, "validation")],
)
def test_too_few_rows_are_one_line_with_the_fix(rows: int, lookback: int, horizon: int, says: str) -> None:
    with pytest.raises(ConfigError, match=says) as refused:
        make_parts(data_of(waves(rows)), "shares", lookback=lookback, horizon=horizon)
    assert "rows in a row" in refused.value.fix


def test_the_rows_that_the_fix_names_are_enough() -> None:
    with pytest.raises(ConfigError) as refused:
        make_parts(data_of(waves(200)), "shares", lookback=24, horizon=30)
    needed = int(refused.value.fix.split("at least ")[1].split()[0])
    make_parts(data_of(waves(needed)), "shares", lookback=24, horizon=30)


def test_a_column_that_never_changes_is_named() -> None:
    values = waves(400, 3)
    values[:, 1] = 7.0
    with pytest.raises(ConfigError, match="'f1' is 7") as refused:
        make_parts(data_of(values), "shares", lookback=24, horizon=6)
    assert "--features f0,f2" in refused.value.fix


@pytest.mark.parametrize(("rows", "period_ms", "says"), [(9_000, HOUR_MS, "14400"), (20_000, 7 * 60_000, "hour")])
def test_what_is_not_ett_is_refused(rows: int, period_ms: int, says: str) -> None:
    with pytest.raises(ConfigError, match=says):
        make_parts(numbered(rows, period_ms=period_ms), "ett", lookback=336, horizon=96)


def _all(parts: Parts) -> tuple[ForecastWindows, ...]:
    return parts.training, parts.validation, parts.calibration, parts.test
