"""Moves the times of a file: to now, and on when it begins again."""

from __future__ import annotations

from vss.clock import Clock


class Shift:
    """Adds to the times of a file what each pass over it needs.

    Every pass but the first follows the one before it as readings follow each other in the file, so that a sensor's
    time never goes back.

    Args:
        from_now: Whether the first reading is of now.
        clock: Tells now.
    """

    def __init__(self, *, from_now: bool, clock: Clock) -> None:
        self._from_now = from_now
        self._clock = clock
        self._offset_ms: int | None = None
        self._newest_ms: int | None = None
        self._step_ms = 1
        self._restarted = False

    def restart(self) -> None:
        """The file begins again."""
        self._restarted = True

    def apply(self, ts_ms: int) -> int:
        """The time to publish, milliseconds since the epoch."""
        if self._offset_ms is None:
            self._offset_ms = self._clock.now_ns() // 1_000_000 - ts_ms if self._from_now else 0
        elif self._restarted and self._newest_ms is not None:
            self._offset_ms = self._newest_ms + self._step_ms - ts_ms
        self._restarted = False
        moved_ms = ts_ms + self._offset_ms
        if self._newest_ms is None or moved_ms > self._newest_ms:
            if self._newest_ms is not None:
                self._step_ms = moved_ms - self._newest_ms
            self._newest_ms = moved_ms
        return moved_ms
