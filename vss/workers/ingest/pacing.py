"""When a frame or reading is due: a file at its own pace, and no source above the wanted rate."""

from __future__ import annotations

import threading

from vss.clock import Clock

# A file that is later than this (it had to wait for Kafka) goes on at its pace instead of catching up in a burst.
_LATE_S = 1.0


class Pacer:
    """Lets frames go at the pace of their presentation times, and readings at that of theirs.

    Args:
        clock: Waits.
        stop: Ends a wait.
        jump_s: A step of the file's own clock that is larger, either way, is no time to wait for.
    """

    def __init__(self, clock: Clock, stop: threading.Event, *, jump_s: float = 10.0) -> None:
        self._clock = clock
        self._stop = stop
        self._jump_s = jump_s
        self._anchor: tuple[float, int] | None = None  # a moment on the clock, and the presentation time shown then
        self._last: tuple[float, int] | None = None
        self._step_s = 0.0

    def restart(self) -> None:
        """The file begins again: its first frame follows the last one as the last followed the one before."""
        self._anchor = None

    def wait(self, pts_ns: int) -> bool:
        """Waits until what has this time is due; False when it was told to stop meanwhile."""
        now_s = self._clock.monotonic()
        if self._anchor is not None and self._last is not None:
            step_s = (pts_ns - self._last[1]) / 1e9
            if not -self._jump_s < step_s < self._jump_s:
                self._anchor = None
        if self._anchor is None:
            due_s = now_s if self._last is None else max(now_s, self._last[0] + self._step_s)
            self._anchor = (due_s, pts_ns)
        else:
            due_s = self._anchor[0] + (pts_ns - self._anchor[1]) / 1e9
            if self._last is not None:
                self._step_s = max(0.0, due_s - self._last[0])
            if due_s < now_s - _LATE_S:
                due_s = now_s
                self._anchor = (due_s, pts_ns)
        self._last = (due_s, pts_ns)
        if due_s > now_s:
            return not self._clock.wait(self._stop, due_s - now_s)
        return not self._stop.is_set()


class RateLimit:
    """Picks the frames that come nearest to a rate.

    A frame may come half an interval early, so that a source with jitter at just the wanted rate keeps all its frames,
    and the average is exact where the source's rate is no multiple.

    Args:
        fps: The rate; None takes every frame.
    """

    def __init__(self, fps: float | None) -> None:
        self._interval_ns = int(1e9 / fps) if fps is not None else None
        self._due_ns: int | None = None
        self._last_ns = 0

    def restart(self) -> None:
        """Time begins anew."""
        self._due_ns = None

    def takes(self, moment_ns: int) -> bool:
        """Whether the frame of that moment is one to publish; moments must not go back for long."""
        if self._interval_ns is None:
            return True
        if self._due_ns is None or moment_ns < self._last_ns - self._interval_ns:
            self._due_ns = moment_ns
        if moment_ns < self._due_ns - self._interval_ns // 2:
            return False
        self._last_ns = moment_ns
        # After a silence, the next is due an interval from now.
        self._due_ns = max(self._due_ns + self._interval_ns, moment_ns + self._interval_ns // 2)
        return True
