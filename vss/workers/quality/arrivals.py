"""When a source's records came: how often it speaks, and since when it does not."""

from __future__ import annotations

import itertools
import statistics
from collections import deque
from typing import Final, NamedTuple

KEPT: Final = 9
"""Arrivals that the usual interval is taken from: odd, so that a pause or two do not move the median."""


class Arrival(NamedTuple):
    """One record.

    Attributes:
        offset: In its partition.
        ts_ms: Its own time.
        arrived_ms: Kafka's time for it.
    """

    offset: int
    ts_ms: int
    arrived_ms: int


class Arrivals:
    """The last records of one source."""

    def __init__(self) -> None:
        self._last: deque[Arrival] = deque(maxlen=KEPT)

    def add(self, arrival: Arrival) -> None:
        """A record came."""
        self._last.append(arrival)

    @property
    def newest(self) -> Arrival | None:
        """The last record."""
        return self._last[-1] if self._last else None

    @property
    def oldest_offset(self) -> int:
        """The first offset that the interval needs."""
        return self._last[0].offset

    def interval_ms(self) -> float | None:
        """How far apart records usually come; None before there are three."""
        return self._median([arrival.arrived_ms for arrival in self._last])

    def step_ms(self) -> float | None:
        """How far apart records usually are by their own time; None before there are three."""
        return self._median([arrival.ts_ms for arrival in self._last])

    @staticmethod
    def _median(times_ms: list[int]) -> float | None:
        if len(times_ms) < 3:
            return None
        return statistics.median(later - earlier for earlier, later in itertools.pairwise(times_ms))
