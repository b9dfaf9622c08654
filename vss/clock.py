"""Time as a thing that is passed in, so that tests can hold it."""

from __future__ import annotations

import threading
import time
from dataclasses import dataclass
from typing import Protocol


class Clock(Protocol):
    """What the project asks of time. `vss.testing.ManualClock` is the other implementation."""

    def now_ns(self) -> int:
        """Wall-clock time, nanoseconds since the epoch."""

    def monotonic(self) -> float:
        """Seconds that never go back, for durations."""

    def wait(self, event: threading.Event, timeout_s: float) -> bool:
        """Waits until the event is set or the time is over, and returns whether it is set."""


class SystemClock:
    """The machine's time."""

    def now_ns(self) -> int:
        """Wall-clock time, nanoseconds since the epoch."""
        return time.time_ns()

    def monotonic(self) -> float:
        """Seconds that never go back."""
        return time.monotonic()

    def wait(self, event: threading.Event, timeout_s: float) -> bool:
        """Waits until the event is set or the time is over."""
        return event.wait(timeout_s)


@dataclass(frozen=True, slots=True)
class Deadline:
    """A moment on the monotonic clock, carried through instead of loose timeouts."""

    clock: Clock
    at_s: float

    @classmethod
    def after(cls, seconds: float, clock: Clock) -> Deadline:
        """The moment that many seconds from now."""
        return cls(clock, clock.monotonic() + seconds)

    def remaining_s(self) -> float:
        """Seconds left, never negative."""
        return max(0.0, self.at_s - self.clock.monotonic())

    def passed(self) -> bool:
        """Whether the moment lies behind."""
        return self.remaining_s() <= 0.0
