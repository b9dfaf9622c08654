from __future__ import annotations

import numpy as np

from tests.training.forecast.readings import data_of, waves
from vss.training.forecast.ridge import fit_line, normalised
from vss.training.forecast.split import make_parts


def test_a_wave_is_continued() -> None:
    parts = make_parts(data_of(waves(1_200, 1, noise=0.0)), "shares", lookback=24, horizon=6)
    line = fit_line(parts.training, parts.validation, most_weights=10**6)
    assert line.error < 1e-3
    assert line.weights.shape == (1, 24, 6)


def test_features_that_move_differently_get_lines_of_their_own() -> None:
    rng = np.random.default_rng(0)
    walk = np.cumsum(rng.standard_normal(2_000))
    white = rng.standard_normal(2_000)
    parts = make_parts(data_of(np.stack([walk, white], axis=1)), "shares", lookback=12, horizon=3)
    line = fit_line(parts.training, parts.validation, most_weights=10**6)
    assert line.own_share > 0
    assert line.weights.shape == (2, 12, 3)
    # The next step of a walk is where it is; that of noise is anywhere.
    assert line.weights[0, -1, 0] > 0.7
    assert abs(line.weights[1, -1, 0]) < 0.2


def test_lines_that_would_not_fit_into_a_file_are_shared() -> None:
    parts = make_parts(data_of(waves(600, 3)), "shares", lookback=12, horizon=3)
    assert fit_line(parts.training, parts.validation, most_weights=3 * 12 * 3 - 1).weights.shape[0] == 1


def test_a_sensor_that_stands_still_for_long_does_not_spoil_the_line() -> None:
    values = waves(3_000, 1, noise=0.05)
    values[500:900] = 50.0
    values[1_500:1_700] = 51.0
    parts = make_parts(data_of(values), "shares", lookback=24, horizon=6)
    assert fit_line(parts.training, parts.validation, most_weights=10**6).error < 0.05


def test_windows_lose_their_level_and_scale() -> None:
    windows = np.random.default_rng(1).normal(1_000, 5, (4, 30, 2)).astype(np.float32)
    scaled, middle, spread = normalised(windows)
    assert np.abs(scaled.mean(axis=1)).max() < 1e-3
    assert np.abs(scaled.std(axis=1) - 1).max() < 1e-3
    assert np.allclose(scaled * spread + middle, windows, rtol=1e-5)
