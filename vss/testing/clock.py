"""A clock that moves only when told, or when somebody waits on it."""

from __future__ import annotations

import threading


class ManualClock:
    """See `vss.clock.Clock`. Waiting takes no time: it moves the clock by what was asked for.

    Args:
        now_ns: Where wall-clock time starts, nanoseconds since the epoch.
    """

    def __init__(self, now_ns: int = 1_700_000_000_000_000_000) -> None:
        self._start_ns = now_ns
        self._elapsed_s = 0.0
        self._lock = threading.Lock()

    def now_ns(self) -> int:
        """Wall-clock time."""
        return self._start_ns + int(self._elapsed_s * 1e9)

    def monotonic(self) -> float:
        """Seconds since the clock was made."""
        return self._elapsed_s

    def wait(self, event: threading.Event, timeout_s: float) -> bool:
        """Returns at once; the clock has moved by `timeout_s` unless the event was set."""
        if not event.is_set():
            self.advance(timeout_s)
        return event.is_set()

    def advance(self, seconds: float) -> None:
        """Moves the clock."""
        with self._lock:
            self._elapsed_s += seconds
