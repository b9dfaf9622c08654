"""The capturing half of a camera or sensor: opens the source again and again, and hands on what it gives."""

from __future__ import annotations

import threading
from typing import Generic, Protocol, TypeVar

from vss.clock import Clock
from vss.errors import SourceUnavailable, SourceUnreadable
from vss.workers.ingest.backoff import Backoff
from vss.workers.ingest.source import Source
from vss.workers.ingest.status import SourceStatus

# A source that drops sooner than this after it opened goes on waiting longer and longer.
_STEADY_S = 10.0

T = TypeVar("T")
T_contra = TypeVar("T_contra", contravariant=True)


class Taker(Protocol[T_contra]):
    """What becomes of what a source gives."""

    def restart(self) -> None:
        """The source was opened, or a file begins again."""

    def take(self, item: T_contra, elapsed_ns: int) -> None:
        """Something came, so many nanoseconds after the source was opened. May wait."""


class Capture(Generic[T]):
    """Runs on a thread of its own, which does as little as it can: a live source does not wait.

    Args:
        source: Where things come from.
        taker: Given everything.
        item: What an empty file lacks: `picture`, `reading`.
        loop: Begin again at the end of what is not live.
        backoff: Waits before a live source is tried again.
        status: Told of every change.
        clock: Time.
        stop: Ends `run`.
    """

    def __init__(
        self,
        source: Source[T],
        taker: Taker[T],
        *,
        item: str,
        loop: bool,
        backoff: Backoff,
        status: SourceStatus,
        clock: Clock,
        stop: threading.Event,
    ) -> None:
        self._source = source
        self._taker = taker
        self._item = item
        self._loop = loop
        self._backoff = backoff
        self._status = status
        self._clock = clock
        self._stop = stop

    def run(self) -> None:
        """Captures until the source ends for good or `stop` is set.

        Raises:
            SourceUnreadable: The source cannot be read and never will be.
        """
        while not self._stop.is_set():
            try:
                given = self._read_to_the_end()
                if self._source.live and not self._stop.is_set():
                    raise SourceUnavailable("the stream ended")
            except SourceUnavailable as error:
                self._status.down(str(error))
                self._clock.wait(self._stop, self._backoff.next_s())
                continue
            if given == 0 and not self._stop.is_set():
                raise SourceUnreadable(
                    f"no {self._item} in {self._source.name}", fix=f"name a source that holds {self._item}s"
                )
            if not self._loop:
                return

    def _read_to_the_end(self) -> int:
        """Opens the source and reads it once through; returns how often it gave something."""
        stream = self._source.open()
        try:
            opened_s = self._clock.monotonic()
            self._taker.restart()
            given = 0
            while not self._stop.is_set() and (item := stream.read()) is not None:
                given += 1
                self._status.up()
                elapsed_s = self._clock.monotonic() - opened_s
                if elapsed_s > _STEADY_S:
                    self._backoff.reset()
                self._taker.take(item, int(elapsed_s * 1e9))
            return given
        finally:
            stream.close()
