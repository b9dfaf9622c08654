from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from vss.errors import ConfigError
from vss.training.forecast.conformal import FLOORS, choose_floor, conformal_quantile, half_widths, scaled


@settings(max_examples=40, deadline=None)
@given(st.integers(9, 60), st.floats(0.5, 0.9), st.integers(0, 2**31))
def test_the_quantile_is_the_kth_smallest_of_what_is_known(count: int, level: float, seed: int) -> None:
    rng = np.random.default_rng(seed)
    scores = rng.random((count, 3, 2), np.float32)
    known = np.ones(scores.shape, bool)
    known[rng.random(count) < 0.3, 1, 0] = False
    left = int(known[:, 1, 0].sum())
    if math.ceil((left + 1) * level) > left:
        return
    found = conformal_quantile(scores, known, level)
    for step, feature in ((0, 0), (1, 0), (2, 1)):
        of_both = np.sort(scores[known[:, step, feature], step, feature])
        assert found[step, feature] == of_both[math.ceil((len(of_both) + 1) * level - 1e-9) - 1]


@pytest.mark.parametrize("level", [0.5, 0.8, 0.9, 0.95])
def test_exchangeable_residuals_are_held_as_promised(level: float) -> None:
    rng = np.random.default_rng(7)
    held = []
    for _ in range(200):
        residuals = rng.standard_t(3, (120, 1, 1)).astype(np.float32)
        scale = np.ones((120, 1), np.float32)
        width = half_widths(residuals[:60], np.ones((60, 1, 1), bool), scale[:60], level)
        held.append(float((np.abs(residuals[60:]) <= width).mean()))
    # At least the level, and above it by no more than one in (n + 1).
    assert level - 0.012 < np.mean(held) < level + 1 / 61 + 0.012


def test_intervals_stay_right_when_a_series_calms_down() -> None:
    residuals, spread = _restless(np.concatenate([np.full(1_000, 4.0), np.full(1_000, 0.5)]))
    known = np.ones(residuals.shape, bool)
    followed = _held(residuals, spread, known, np.zeros(1, np.float32))
    constant = _held(residuals, spread, known, np.full(1, 100, np.float32))
    assert 0.88 < followed < 0.92
    assert constant > 0.99


def test_still_windows_get_a_floor() -> None:
    rng = np.random.default_rng(5)
    moves = rng.random(2_000) < 0.5
    spread = np.where(moves, 1.0, 0.003).astype(np.float32)[:, None]
    # What follows a still window is as large as what follows one that moves.
    residuals = rng.standard_normal((2_000, 4, 1)).astype(np.float32)
    floor = choose_floor(residuals, np.ones(residuals.shape, bool), spread, 0.9)
    assert floor[0] > 0.1


def test_where_the_spread_says_all_there_is_no_floor() -> None:
    residuals, spread = _restless(np.tile([0.1, 3.0], 1_000))
    assert choose_floor(residuals, np.ones(residuals.shape, bool), spread, 0.9)[0] == FLOORS[0]


def test_too_few_windows_to_calibrate_are_refused() -> None:
    scores = np.ones((8, 2, 1), np.float32)
    with pytest.raises(ConfigError, match="8 windows are too few to calibrate 90 %") as refused:
        conformal_quantile(scores, np.ones(scores.shape, bool), 0.9)
    assert "at least 9 windows" in refused.value.fix
    nine = np.ones((9, 2, 1), np.float32)
    assert (conformal_quantile(nine, np.ones(nine.shape, bool), 0.9) == 1).all()


def _restless(deviation: NDArray[np.float64]) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
    rng = np.random.default_rng(11)
    residuals = rng.standard_normal((len(deviation), 3, 1)) * deviation[:, None, None]
    return residuals.astype(np.float32), deviation.astype(np.float32)[:, None]


def _held(
    residuals: NDArray[np.float32], spread: NDArray[np.float32], known: NDArray[np.bool_], floor: NDArray[np.float32]
) -> float:
    """Share of the second half within intervals that the first calibrated."""
    half = len(residuals) // 2
    width = half_widths(residuals[:half], known[:half], scaled(spread[:half], floor), 0.9)
    return float((np.abs(residuals[half:]) <= width * scaled(spread[half:], floor)[:, None]).mean())
