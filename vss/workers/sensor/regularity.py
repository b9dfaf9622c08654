"""Whether readings come as they should: missing periods, and clocks that jump."""

from __future__ import annotations

import enum
import statistics
from collections import OrderedDict
from dataclasses import dataclass, field

# Sensors of one source whose times are remembered; the one that was silent longest is forgotten first.
_MOST_SENSORS = 10_000
# A period is learnt from so many steps, most of which agree to a quarter; otherwise there is none.
_STEPS = 8
_AGREE = 6
_TOLERANCE = 0.25
# A reading later than this many periods has left out those between.
_GAP = 1.5


class Irregularity(enum.StrEnum):
    """What is not as it should be."""

    GAP = "gap"
    """Periods without a reading."""
    JUMP_FORWARD = "forward"
    """The sensor's clock went ahead by more than it can have."""
    JUMP_BACKWARD = "backward"
    """The sensor's clock went back by more than readings get out of order."""
    OUT_OF_ORDER = "out_of_order"
    """Not later than the newest, by no more than readings get out of order."""


@dataclass(frozen=True, slots=True)
class Finding:
    """One irregularity.

    Attributes:
        step_ms: From the newest reading so far to this one.
        missing: Periods without a reading, of a gap.
    """

    kind: Irregularity
    step_ms: int
    missing: int = 0


@dataclass(slots=True)
class _Track:
    newest_ms: int
    arrived_s: float
    period_ms: float | None
    steps: list[int] = field(default_factory=list)


class Regularity:
    """Looks at the times of each sensor's readings.

    Args:
        period_ms: Between two readings of a sensor; None learns it from each sensor's own.
        jump_periods: A step of more than this many periods is a jump of the clock.
        live: Readings come when they are made, so that a long silence is told from a clock that went ahead.
    """

    def __init__(self, *, period_ms: float | None, jump_periods: int, live: bool) -> None:
        self._period_ms = period_ms
        self._jump_periods = jump_periods
        self._live = live
        self._tracks: OrderedDict[str, _Track] = OrderedDict()

    def look(self, sensor_id: str, ts_ms: int, now_s: float) -> Finding | None:
        """A reading came; returns what is not as it should be.

        Args:
            sensor_id: Whose.
            ts_ms: When it was measured.
            now_s: Monotonic time.
        """
        track = self._tracks.get(sensor_id)
        if track is None:
            self._tracks[sensor_id] = _Track(ts_ms, now_s, self._period_ms)
            if len(self._tracks) > _MOST_SENSORS:
                self._tracks.popitem(last=False)
            return None
        self._tracks.move_to_end(sensor_id)
        step_ms, silent_ms = ts_ms - track.newest_ms, (now_s - track.arrived_s) * 1000
        track.arrived_s = now_s
        if track.period_ms is None:
            _learn(track, step_ms)
        period_ms = track.period_ms
        # Without a period nothing is known but that time should not go back.
        limit_ms = self._jump_periods * period_ms if period_ms is not None else None
        if step_ms <= 0 and (limit_ms is None or -step_ms <= limit_ms):
            return Finding(Irregularity.OUT_OF_ORDER, step_ms)
        track.newest_ms = ts_ms
        if step_ms < 0:
            return Finding(Irregularity.JUMP_BACKWARD, step_ms)
        if limit_ms is None or period_ms is None:
            return None
        if step_ms - (silent_ms if self._live else 0) > limit_ms:
            return Finding(Irregularity.JUMP_FORWARD, step_ms)
        if step_ms > _GAP * period_ms:
            return Finding(Irregularity.GAP, step_ms, missing=round(step_ms / period_ms) - 1)
        return None


def _learn(track: _Track, step_ms: int) -> None:
    if step_ms <= 0:
        return
    track.steps.append(step_ms)
    if len(track.steps) < _STEPS:
        return
    period_ms = statistics.median(track.steps)
    if sum(abs(step - period_ms) <= _TOLERANCE * period_ms for step in track.steps) >= _AGREE:
        track.period_ms = period_ms
    track.steps.clear()
