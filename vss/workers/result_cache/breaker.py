"""When a server that is away may be asked again."""

from __future__ import annotations

import threading

from vss.clock import Clock
from vss.logs import Logger


class Breaker:
    """Open while a server is away: then nobody asks it, but for one probe at a time. Thread-safe.

    It starts open, and the first probe is due at once.

    Args:
        what: What the log calls the server.
        fix: What the log advises while it is away.
        rest_s: From one probe to the next, seconds.
        clock: Measures that.
        logger: Told once when the server goes, and once when it comes back.
    """

    def __init__(self, what: str, *, fix: str, rest_s: float, clock: Clock, logger: Logger) -> None:
        self._what = what
        self._fix = fix
        self._rest_s = rest_s
        self._clock = clock
        self._logger = logger
        self._lock = threading.Lock()
        self._closed = False
        self._told = False
        self._probe_due_s = clock.monotonic()

    @property
    def closed(self) -> bool:
        """Whether the server may be asked."""
        return self._closed

    def take_probe(self) -> bool:
        """Whether the caller shall probe now; then the next is due after a rest."""
        with self._lock:
            if self._closed or self._clock.monotonic() < self._probe_due_s:
                return False
            self._probe_due_s = self._clock.monotonic() + self._rest_s
            return True

    def failed(self, error: object) -> None:
        """The server did not answer."""
        with self._lock:
            self._closed = False
            self._probe_due_s = self._clock.monotonic() + self._rest_s
            tell, self._told = not self._told, True
        if tell:
            self._logger.warning(f"{self._what} away", error=str(error), fix=self._fix)

    def passed(self) -> None:
        """The server answered a probe."""
        with self._lock:
            self._closed = True
            tell, self._told = self._told, False
        if tell:
            self._logger.info(f"{self._what} back")
