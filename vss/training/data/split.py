"""Cuts readings in time and into windows, as a worker's windows will see them."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from vss.errors import ConfigError
from vss.model_store.tasks.series.imputing import impute as fill_windows
from vss.training.data.series import SensorSeries, TrainingData, Values

Windows = NDArray[np.float32]
"""(n, W, F) float32: windows of W readings in raw units, the oldest reading first, without NaN."""

Rule = Literal["hold", "mean"]
GAP_PERIODS = 10
"""A hole of more periods than this parts the readings before it from those after: no window lies across."""


def split_by_time(data: TrainingData, shares: Sequence[float], *, look_back: int = 0) -> tuple[TrainingData, ...]:
    """Each sensor's readings in order of time, cut into consecutive parts.

    Args:
        data: All readings.
        shares: Of each part, above 0; they sum to 1.
        look_back: Readings of the part before that a later part has too, so that its first reading has a window.

    Returns:
        A part a share; but for the look back, a reading is in exactly one.
    """
    parts: list[list[SensorSeries]] = [[] for _ in shares]
    edges = np.concatenate([[0.0], np.cumsum(shares)])
    edges[-1] = 1.0
    for sensor in data.sensors:
        stretches = [one for one in data.series if one.sensor_id == sensor]
        total = sum(map(len, stretches))
        cuts = [round(edge * total) for edge in edges]
        before = 0
        for one in stretches:
            for part, (low, high) in zip(parts, pairwise(cuts), strict=True):
                start, end = max(low - before, 0), min(high - before, len(one))
                if start < end:
                    part.append(one.cut(max(start - look_back, 0), end))
            before += len(one)
    return tuple(data.of(part) for part in parts)


def pieces(data: TrainingData, *, gap_periods: float = GAP_PERIODS) -> list[SensorSeries]:
    """Stretches without a hole of more than so many periods."""
    found: list[SensorSeries] = []
    for one in data.series:
        holes = np.flatnonzero(np.diff(one.ts_ms) > gap_periods * data.period_ms) + 1
        edges = [0, *holes.tolist(), len(one)]
        found += [one.cut(start, end) for start, end in pairwise(edges) if start < end]
    return found


def fill(values: Values, rule: Rule, fallback: NDArray[np.float64]) -> Values:
    """Puts something in the place of missing values of a whole stretch, for what learns from stretches.

    Args:
        values: (n, F), NaN where missing.
        rule: `hold` repeats the value before; `mean`, and what has none before, takes the fallback.
        fallback: (F,) a value a feature.

    Returns:
        (n, F) without NaN.
    """
    known = np.isfinite(values)
    if known.all():
        return values
    if rule == "mean":
        return np.where(known, values, fallback)
    rows = np.where(known, np.arange(len(values))[:, None], -1)
    latest = np.maximum.accumulate(rows, axis=0)
    held = np.take_along_axis(values, np.maximum(latest, 0), axis=0)
    return np.where(latest >= 0, held, fallback)


def windows_of(
    data: TrainingData,
    length: int,
    *,
    fallback: NDArray[np.float64],
    impute: Rule = "hold",
    step: int = 1,
    gap_periods: float = GAP_PERIODS,
) -> Windows:
    """All windows of consecutive readings.

    Args:
        data: The readings.
        length: Of a window, readings.
        fallback: (F,) what stands in where nothing was before.
        impute: The rule for missing values.
        step: Readings from one window's start to the next's.
        gap_periods: As `pieces`.

    Returns:
        (n, length, F) float32; n is 0 where no stretch is that long.
    """
    found = [
        fill_windows(rolling(piece.values.astype(np.float32), length, step), impute, fallback.tolist())[0]
        for piece in pieces(data, gap_periods=gap_periods)
        if len(piece) >= length
    ]
    return np.concatenate(found) if found else np.zeros((0, length, len(data.features)), np.float32)


def rolling(values: NDArray[np.float32], length: int, step: int = 1) -> Windows:
    """(n, F) → (m, length, F): every window of one stretch; a copy that may be written to."""
    views = np.lib.stride_tricks.sliding_window_view(values, length, axis=0)[::step]
    return np.ascontiguousarray(views.transpose(0, 2, 1))


def check_trainable(data: TrainingData, length: int, *, at_least: int = 1) -> None:
    """Refuses what nothing can be learnt from.

    Args:
        data: The readings that a model is to learn.
        length: Of its window, readings.
        at_least: Windows that are needed.

    Raises:
        ConfigError: A column is missing everywhere or never changes, or there are too few rows; names it and the fix.
    """
    values = np.concatenate([one.values for one in data.series]) if data.series else np.zeros((0, len(data.features)))
    for place, name in enumerate(data.features):
        known = values[np.isfinite(values[:, place]), place]
        if not len(known):
            raise ConfigError(
                f"{data.shown}: column {name!r} holds no number", fix=_without(data, name) or "give a table with values"
            )
        if known.min() == known.max():
            raise ConfigError(
                f"{data.shown}: column {name!r} is {known[0]:g} in every row, so nothing can be learnt from it",
                fix=_without(data, name) or "give a feature that changes",
            )
    longest = max(map(len, pieces(data)), default=0)
    windows = sum(max(0, len(piece) - length + 1) for piece in pieces(data))
    if windows < at_least:
        fix = f"give at least {length + at_least - 1} rows in a row, or a smaller --window"
        if longest < len(values) and longest < length:
            fix += f"; holes of more than {GAP_PERIODS} periods part the rows, so --period may be wrong"
        raise ConfigError(
            f"{data.shown} has {data.rows} rows, {longest} in the longest stretch: too few for windows of {length}",
            fix=fix,
        )


def _without(data: TrainingData, name: str) -> str:
    others = [feature for feature in data.features if feature != name]
    return f"leave it out: --features {','.join(others)}" if others else ""
