"""Readings in memory: of each sensor its times and its values, one column a feature."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from vss.errors import ConfigError

Times = NDArray[np.int64]
"""(n,) int64: milliseconds since the epoch, ascending, none twice."""
Values = NDArray[np.float64]
"""(n, F) float64: a row a reading, a column a feature; NaN where a value is missing."""


@dataclass(frozen=True, slots=True, eq=False)
class SensorSeries:
    """Readings of one sensor that follow each other; a sensor may have several such stretches.

    Attributes:
        sensor_id: Whose.
        ts_ms: (n,) when each was measured.
        values: (n, F) what was measured.
    """

    sensor_id: str
    ts_ms: Times
    values: Values

    def __len__(self) -> int:
        return len(self.ts_ms)

    def cut(self, start: int, end: int) -> SensorSeries:
        """The readings from place `start` up to, and without, `end`."""
        return SensorSeries(self.sensor_id, self.ts_ms[start:end], self.values[start:end])


@dataclass(frozen=True, slots=True, eq=False)
class TrainingData:
    """Readings of one or many sensors with the same features.

    Attributes:
        features: Names of the columns, in their order.
        series: The readings.
        period_ms: Usual time from one reading of a sensor to its next.
        sha256: Of the file, or of the records' values, that it was read from.
        shown: How to speak of where it was read from.
        left_out: What was there and is not in `series`, by reason.
    """

    features: tuple[str, ...]
    series: tuple[SensorSeries, ...]
    period_ms: int
    sha256: str
    shown: str
    left_out: tuple[tuple[str, int], ...] = ()

    @property
    def rows(self) -> int:
        """How many readings there are."""
        return sum(len(one) for one in self.series)

    @property
    def sensors(self) -> tuple[str, ...]:
        """The sensors, in the order in which they first came."""
        return tuple(dict.fromkeys(one.sensor_id for one in self.series))

    def means(self) -> NDArray[np.float64]:
        """(F,): mean of each feature over all readings that have it."""
        if not self.series:
            return np.full(len(self.features), np.nan)
        values = np.concatenate([one.values for one in self.series])
        known = np.isfinite(values)
        counts = known.sum(axis=0)
        sums = np.where(known, values, 0.0).sum(axis=0)
        means: NDArray[np.float64] = np.divide(sums, counts, out=np.full(len(counts), np.nan), where=counts > 0)
        return means

    def document(self) -> dict[str, object]:
        """What is to be remembered of it, for JSON."""
        return {
            "from": self.shown,
            "sha256": self.sha256,
            "rows": self.rows,
            "sensors": len(self.sensors),
            "features": list(self.features),
            "period_ms": self.period_ms,
            "left_out": dict(self.left_out),
        }

    def of(self, series: Iterable[SensorSeries]) -> TrainingData:
        """The same but for the readings."""
        return TrainingData(
            self.features, tuple(one for one in series if len(one)), self.period_ms, self.sha256, self.shown
        )


def leave_out_infinite(values: NDArray[np.float64]) -> None:
    """Makes NaN of what a worker takes for missing: what is infinite in float32."""
    values[~(np.abs(values) <= np.finfo(np.float32).max)] = np.nan


def usual_period_ms(series: Iterable[SensorSeries], shown: str) -> int:
    """The median time between neighbours.

    Raises:
        ConfigError: No sensor has two readings at different times.
    """
    steps = [np.diff(one.ts_ms) for one in series if len(one) > 1]
    if not steps:
        raise ConfigError(f"{shown} holds no two readings of a sensor at different times", fix="give more readings")
    return max(1, int(np.median(np.concatenate(steps))))
