"""Windows and what followed them, gathered from the readings when they are needed: they overlap too much to lie apart.

A window is so many readings in a row, as a worker keeps them. What followed is placed by time: the value of step h is
that of the reading nearest to `h` periods after the window's last one, and none where no reading is within half a
period. So a hole in the readings is never taken for time that did not pass. A hole of more than `GAP_PERIODS` parts the
readings: no window and nothing foretold lies across.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from itertools import pairwise

import numpy as np
from numpy.typing import NDArray

from vss.training.data.series import TrainingData
from vss.training.data.split import Rule, fill, pieces

Floats = NDArray[np.float32]
NONE = -1
"""In the place of a row: no reading was there at that time."""


@dataclass(frozen=True, slots=True, eq=False)
class ForecastWindows:
    """Windows of one part of the readings.

    Attributes:
        values: (R, F) float32 all readings, standardised, missing values filled by the rule.
        known: (R, F) whether a value was measured.
        ends: (n,) row of each window's last reading.
        targets: (n, H) row of what is foretold, `NONE` where no reading was.
        lookback: Readings of a window.
    """

    values: Floats
    known: NDArray[np.bool_]
    ends: NDArray[np.int64]
    targets: NDArray[np.int32]
    lookback: int

    def __len__(self) -> int:
        return len(self.ends)

    @property
    def horizon(self) -> int:
        """Steps that are foretold."""
        return int(self.targets.shape[1])

    @property
    def features(self) -> int:
        """Values of a reading."""
        return int(self.values.shape[1])

    def take(self, places: NDArray[np.int64]) -> tuple[Floats, Floats, NDArray[np.bool_]]:
        """Some windows.

        Args:
            places: (b,) which.

        Returns:
            (b, L, F) the windows; (b, H, F) what followed, what stands in for it where it is missing; (b, H, F)
            whether it is known.
        """
        rows = self.ends[places, None] + np.arange(1 - self.lookback, 1)
        targets = self.targets[places]
        there = targets != NONE
        # Where nothing was measured, what came last before: a stand-in that no loss counts.
        steps = np.where(there, targets, NONE)
        held = np.maximum(np.maximum.accumulate(steps, axis=1), self.ends[places, None])
        return self.values[rows], self.values[held], there[..., None] & self.known[held]

    def batches(self, size: int) -> Iterator[tuple[Floats, Floats, NDArray[np.bool_]]]:
        """All windows in their order, at most `size` at once."""
        for start in range(0, len(self), size):
            yield self.take(np.arange(start, min(start + size, len(self))))

    def thinned(self, at_most: int) -> ForecastWindows:
        """Every k-th window, so that no more than `at_most` are left."""
        step = -(-len(self) // at_most) if len(self) > at_most else 1
        return replace(self, ends=self.ends[::step], targets=self.targets[::step])


@dataclass(frozen=True, slots=True, eq=False)
class Scaling:
    """What standardises values: of the readings that are learnt from.

    Attributes:
        mean: (F,) raw units; stands in for a value that is missing with none before it.
        deviation: (F,) raw units, above 0.
    """

    mean: NDArray[np.float64]
    deviation: NDArray[np.float64]

    @classmethod
    def of(cls, data: TrainingData) -> Scaling:
        """Mean and standard deviation of each feature, missing values left out."""
        values = np.concatenate([one.values for one in data.series])
        return cls(np.nanmean(values, axis=0), np.nanstd(values, axis=0))


def cut_windows(
    data: TrainingData,
    borders: Sequence[Sequence[int]],
    scaling: Scaling,
    *,
    lookback: int,
    horizon: int,
    impute: Rule = "hold",
) -> tuple[ForecastWindows, ...]:
    """Windows of each part: those whose foretold values lie in it, all of them.

    A window may reach back into the part before its own, as in the protocol of ETT: what came before is known when it
    is used. Nothing that is foretold in one part is in another.

    Args:
        data: All readings.
        borders: Of each sensor, in the order of `data.sensors`: the row at which each part begins, and the end.
        scaling: Of the readings that are learnt from.
        lookback: Readings of a window.
        horizon: Steps that are foretold.
        impute: What stands in for missing values.

    Returns:
        A part for each pair of neighbours in `borders`.
    """
    values: list[Floats] = []
    known: list[NDArray[np.bool_]] = []
    parts = len(borders[0]) - 1
    ends: list[list[NDArray[np.int64]]] = [[] for _ in range(parts)]
    targets: list[list[NDArray[np.int32]]] = [[] for _ in range(parts)]
    rows_before = 0
    seen = dict.fromkeys(data.sensors, 0)
    edges = dict(zip(data.sensors, borders, strict=True))
    for piece in pieces(data):
        filled = (fill(piece.values, impute, scaling.mean) - scaling.mean) / scaling.deviation
        values.append(filled.astype(np.float32))
        known.append(np.isfinite(piece.values))
        first = seen[piece.sensor_id]
        for part, (start, end) in enumerate(pairwise(edges[piece.sensor_id])):
            low, high = max(start - first, 0), min(end - first, len(piece))
            at, followed = _of_part(piece.ts_ms, low, high, data.period_ms, lookback, horizon)
            ends[part].append(at + rows_before)
            targets[part].append(np.where(followed == NONE, NONE, followed + rows_before).astype(np.int32))
        seen[piece.sensor_id] += len(piece)
        rows_before += len(piece)
    everything, measured = np.concatenate(values), np.concatenate(known)
    return tuple(
        ForecastWindows(everything, measured, np.concatenate(at), np.concatenate(followed), lookback)
        for at, followed in zip(ends, targets, strict=True)
    )


def _of_part(
    ts_ms: NDArray[np.int64], low: int, high: int, period_ms: int, lookback: int, horizon: int
) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Last rows of the windows of one stretch whose foretold values lie in rows low..high, and those values' rows."""
    nothing = np.zeros(0, np.int64), np.zeros((0, horizon), np.int64)
    if high <= low:
        return nothing
    ends = np.arange(max(lookback - 1, low - 1), high - 1)
    # The last step has to be over within the part.
    ends = ends[ts_ms[ends] + horizon * period_ms <= ts_ms[high - 1] + period_ms // 2]
    if not len(ends):
        return nothing
    wanted = ts_ms[ends, None] + np.arange(1, horizon + 1) * period_ms
    after = np.searchsorted(ts_ms, wanted).clip(1, len(ts_ms) - 1)
    nearest = np.where(wanted - ts_ms[after - 1] <= ts_ms[after] - wanted, after - 1, after)
    there = (2 * np.abs(ts_ms[nearest] - wanted) <= period_ms) & (nearest < high)
    return ends, np.where(there, nearest, NONE)
