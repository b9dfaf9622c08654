"""Readings to train forecasts on: made up, seeded, as regular or as full of holes as a test wants."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from vss.training.data.series import SensorSeries, TrainingData

PERIOD_MS = 1_000


def waves(rows: int, features: int = 2, *, seed: int = 0, noise: float = 0.1) -> NDArray[np.float64]:
    """(rows, features): a sine a feature, each of its own length and level, with noise."""
    rng = np.random.default_rng(seed)
    steps = np.arange(rows, dtype=np.float64)[:, None]
    lengths = 12 + 5 * np.arange(features, dtype=np.float64)
    values: NDArray[np.float64] = 50 * (1 + np.arange(features, dtype=np.float64)) + np.sin(2 * np.pi * steps / lengths)
    return values + noise * rng.standard_normal((rows, features))


def data_of(*values: NDArray[np.float64], times: NDArray[np.int64] | None = None) -> TrainingData:
    """A sensor for each, a reading a second unless times are given."""
    series = []
    for number, rows in enumerate(values):
        ts_ms = times if times is not None else np.arange(len(rows), dtype=np.int64) * PERIOD_MS
        series.append(SensorSeries(f"pump-{number}", ts_ms, rows))
    names = tuple(f"f{place}" for place in range(values[0].shape[1]))
    return TrainingData(names, tuple(series), PERIOD_MS, "0" * 64, "made up")
