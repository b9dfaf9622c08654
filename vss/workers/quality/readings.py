"""What is wrong with a sensor's readings."""

from __future__ import annotations

import fnmatch
from collections.abc import Iterator, Mapping
from typing import Final

from vss.config import QualitySettings
from vss.workers.quality.arrivals import Arrival, Arrivals
from vss.workers.quality.episodes import Change, Episodes, Topic, Where

_SETTLED: Final = 5
"""Readings without a further leap after which a clock that leapt is taken for set; fewer than `arrivals.KEPT`."""
_CLOCK: Final = Topic("clock_jump")


class SensorWatch:
    """Watches one sensor.

    Args:
        sensor_id: Which.
        settings: What is wrong.

    Attributes:
        episodes: Its problems.
        arrivals: Its last records.
    """

    def __init__(self, sensor_id: str, settings: QualitySettings) -> None:
        self.episodes = Episodes()
        self.arrivals = Arrivals()
        self._settings = settings
        self._ranges = ranges_of(sensor_id, settings.ranges)
        self._last: dict[str, float] = {}

    def look(self, arrival: Arrival, values: Mapping[str, float]) -> Iterator[Change]:
        """Takes a reading in.

        Args:
            arrival: The record.
            values: Finite numbers by feature.
        """
        at = Where(arrival.offset, arrival.ts_ms)
        yield from self._clock(arrival, at)
        for feature, value in values.items():
            yield from self._stuck(feature, value, at)
            yield from self._range(feature, value, at)
        self.arrivals.add(arrival)

    def oldest_offset(self) -> int:
        """The first offset that its state needs."""
        untold = self.episodes.oldest_untold()
        return min(self.arrivals.oldest_offset, untold) if untold is not None else self.arrivals.oldest_offset

    def _clock(self, arrival: Arrival, at: Where) -> Iterator[Change]:
        before, step_ms = self.arrivals.newest, self.arrivals.step_ms()
        if before is None:
            return
        moved_ms, passed_ms = arrival.ts_ms - before.ts_ms, max(0, arrival.arrived_ms - before.arrived_ms)
        limit_ms = self._settings.clock_jump_s * 1000
        # Forward is a leap only where the pause is not one of the sensor itself, nor the pace of a recording.
        ahead_ms = moved_ms - max(passed_ms, step_ms if step_ms is not None else moved_ms)
        if moved_ms < -limit_ms or ahead_ms > limit_ms:
            detail = f"the clock leapt by {moved_ms / 1000:.0f} s while {passed_ms / 1000:.0f} s passed"
            if (run := self.episodes.get(_CLOCK)) is not None:
                run.records = 0
            yield from self.episodes.begin(_CLOCK, at, detail)
        elif self.episodes.get(_CLOCK) is not None and self.episodes.holds(_CLOCK, at).records > _SETTLED:
            yield from self.episodes.end(_CLOCK, at, f"{_SETTLED} readings without another leap")

    def _stuck(self, feature: str, value: float, at: Where) -> Iterator[Change]:
        about = Topic("stuck", feature)
        if self._last.get(feature) != value:
            yield from self.episodes.end(about, at, f"{feature} changed to {value:g}")
            self._last[feature] = value
        run = self.episodes.holds(about, at)
        lasted_s = (at.ts_ms - run.since.ts_ms) / 1000
        if run.records >= self._settings.stuck_readings and lasted_s >= self._settings.stuck_after_s:
            yield from self.episodes.begin(about, at, f"{feature} has been {value:g} for {lasted_s:.0f} s")

    def _range(self, feature: str, value: float, at: Where) -> Iterator[Change]:
        if (allowed := self._ranges.get(feature)) is None:
            return
        about, (low, high) = Topic("out_of_range", feature), allowed
        if low <= value <= high:
            yield from self.episodes.end(about, at, f"{feature} is {value:g}, within {low:g} to {high:g}")
        else:
            yield from self.episodes.begin(about, at, f"{feature} is {value:g}, outside {low:g} to {high:g}")


def ranges_of(sensor_id: str, ranges: Mapping[str, tuple[float, float]]) -> dict[str, tuple[float, float]]:
    """The physical range of each feature of a sensor.

    Args:
        sensor_id: Which.
        ranges: By feature, or by a pattern of sensor ids and a feature, `pump-*:pressure`; the later one counts.
    """
    found = {}
    for name, allowed in ranges.items():
        pattern, colon, feature = name.rpartition(":")
        if not colon or fnmatch.fnmatchcase(sensor_id, pattern):
            found[feature] = allowed
    return found
