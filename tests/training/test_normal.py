import numpy as np
import pytest

from vss.training.anomaly.normal import Normal
from vss.training.data.series import SensorSeries, TrainingData


def normal_of(*columns: np.ndarray[tuple[int], np.dtype[np.float64]]) -> Normal:
    values = np.stack(columns, axis=1)
    series = SensorSeries("pump", np.arange(len(values), dtype=np.int64), values)
    return Normal.of(TrainingData(tuple("abc"[: len(columns)]), (series,), 1, "", "pump.csv"))


def test_noise_does_not_wander_and_a_trend_does() -> None:
    noise = np.random.default_rng(0).standard_normal(800)
    trend = np.linspace(0, 20, 800)
    normal = normal_of(10 + noise, noise + trend)
    assert normal.centre == pytest.approx([10, 10], abs=0.2)
    assert normal.wander[1] == pytest.approx(20 * 7 / 8, rel=0.05)  # between the middles of the outer eighths


def test_the_levels_of_noise_are_not_taken_for_wandering() -> None:
    """Eight means of 100 readings each have a range of 0.28 by chance alone."""
    wander = [normal_of(np.random.default_rng(seed).standard_normal(800)).wander[0] for seed in range(20)]
    assert np.median(wander) < 0.1


def test_missing_values_are_left_out() -> None:
    values = np.random.default_rng(1).standard_normal(800)
    holes = values.copy()
    holes[::3] = np.nan
    holes[:100] = np.nan
    normal = normal_of(values, holes)
    assert np.isfinite(normal.wander).all()
    assert normal.spread[1] == pytest.approx(normal.spread[0], rel=0.1)


def test_what_hardly_changes_can_still_be_divided_by() -> None:
    assert normal_of(np.full(50, 1e9)).spread[0] > 0
