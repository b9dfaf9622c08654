from typing import get_args

import numpy as np
import pytest

from vss.model_store.quantisation.histogram import Histogram
from vss.model_store.quantisation.ranges import RangeMethod, choose_range

METHODS: tuple[RangeMethod, ...] = get_args(RangeMethod)


def histogram_of(values: np.ndarray) -> Histogram:
    histogram = Histogram()
    histogram.add(values.astype(np.float32))
    return histogram


def error(values: np.ndarray, low: float, high: float) -> float:
    """Mean squared, of values in 256 steps between two ends."""
    step = (high - low) / 255
    return float(np.mean((np.rint(np.clip(values, low, high) / step) * step - values) ** 2))


@pytest.mark.parametrize("method", METHODS)
@pytest.mark.parametrize("shift", [-5.0, 0.0, 5.0])
def test_a_range_holds_0_and_nothing_that_was_not_seen(method: RangeMethod, shift: float) -> None:
    values = np.random.default_rng(0).normal(shift, 1, 20_000)
    low, high = choose_range(histogram_of(values), method)
    assert min(0.0, values.min()) - 1e-6 <= low <= 0 <= high <= max(0.0, values.max()) + 1e-6
    assert low < high


@pytest.mark.parametrize("method", ["percentile", "entropy", "mse"])
def test_one_wild_value_among_many_does_not_take_the_steps_of_all(method: RangeMethod) -> None:
    values = np.random.default_rng(0).normal(0, 1, 250_000)
    values[7] = 1000.0
    assert choose_range(histogram_of(values), "minmax")[1] == 1000.0
    low, high = choose_range(histogram_of(values), method)
    assert high <= 800
    assert low <= -2


def test_mse_has_a_smaller_error_than_all_that_was_seen() -> None:
    values = np.random.default_rng(0).laplace(0, 1, 200_000)
    histogram = histogram_of(values)
    assert error(values, *choose_range(histogram, "mse")) < 0.9 * error(values, *choose_range(histogram, "minmax"))


@pytest.mark.parametrize("method", METHODS)
def test_a_tensor_of_nothing_but_0_has_a_range_all_the_same(method: RangeMethod) -> None:
    assert choose_range(histogram_of(np.zeros(100)), method) == (0.0, 0.0)
