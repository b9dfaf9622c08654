"""The rule of one sensor: what a reading does to the window it arrives at.

A window holds the newest readings by event time. A reading that is newer than all of them is appended; an older one is
put where it belongs; one whose time is there already, or that is too old, changes nothing.

Why the end of the log suffices to know a window: let one window follow the whole log and another begin empty
somewhere later. As long as the first holds readings from before that place, the second may lack them, and may hold some
that the first refused because of them. But

- what the first accepts the second accepts, and its newest is never newer than the first's;
- what the second holds and the first refused is no newer than one that the first holds from before.

So when the last reading from before has left the first window, which is full by then or was started anew since, all
that the second had beside it has left too: both hold the same, and will for ever.
"""

from __future__ import annotations

import enum
from bisect import bisect_left
from dataclasses import dataclass
from typing import TypeVar

T = TypeVar("T")


class Arrival(enum.IntEnum):
    """What became of a reading."""

    TAKEN = 0
    """It is in its sensor's window."""
    DUE = 1
    """It is too, and the window is to be looked at."""
    LATE = 2
    """It is older than its sensor's newest by more than the lateness, or than everything in a full window."""
    DUPLICATE = 3
    """A reading of the same time is in the window."""
    NO_ROOM = 4
    """Its sensor is one more than may be held."""


class Placed(enum.Enum):
    """Where a reading was put."""

    ANEW = enum.auto()
    """First of a window that it starts, the gap before it being too long."""
    NEWEST = enum.auto()
    INSIDE = enum.auto()
    LATE = enum.auto()
    DUPLICATE = enum.auto()


@dataclass(frozen=True, slots=True)
class ArrivalRule:
    """How windows take readings in.

    Attributes:
        window: Readings in a full window.
        lateness_ms: What is older than the newest by more is late.
        expire_after_ms: A gap of more starts the window anew.
        span_ms: With a stride above 1, the stretch of event time of which one reading is due; None: each one is.
    """

    window: int
    lateness_ms: int
    expire_after_ms: int
    span_ms: int | None = None

    def place(self, times: list[int], items: list[T], ts_ms: int, item: T) -> Placed:
        """Takes a reading into a window.

        Args:
            times: Of the readings in it, ascending, milliseconds; changed in place.
            items: What stands for each of them; changed in place.
            ts_ms: Of the reading.
            item: What stands for it.
        """
        if not times:
            times.append(ts_ms)
            items.append(item)
            return Placed.NEWEST
        newest = times[-1]
        if ts_ms > newest:
            anew = ts_ms - newest > self.expire_after_ms
            if anew:
                times.clear()
                items.clear()
            times.append(ts_ms)
            items.append(item)
        elif ts_ms < newest - self.lateness_ms:
            return Placed.LATE
        else:
            at = bisect_left(times, ts_ms)
            if times[at] == ts_ms:
                return Placed.DUPLICATE
            if at == 0 and len(times) == self.window:
                return Placed.LATE
            times.insert(at, ts_ms)
            items.insert(at, item)
            anew = False
        if len(times) > self.window:
            del times[0], items[0]
        if ts_ms < newest:
            return Placed.INSIDE
        return Placed.ANEW if anew else Placed.NEWEST

    def due(self, before: int, newest_ms: int | None, times: list[int]) -> bool:
        """Whether a window is to be looked at for its newest reading.

        Args:
            before: Readings in it before that one.
            newest_ms: Time of the newest before that one.
            times: Of the readings in it now.
        """
        if len(times) < self.window:
            return False
        if self.span_ms is None or before < self.window or newest_ms is None:
            return True
        return newest_ms // self.span_ms != times[-1] // self.span_ms
