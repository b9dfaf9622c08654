"""A source on its way into Kafka, on two threads: one captures, one encodes and publishes."""

from __future__ import annotations

import random
import threading
from collections.abc import Callable
from dataclasses import dataclass
from typing import TypeVar

from vss.clock import Deadline
from vss.errors import VssError
from vss.schemas.envelope import Message
from vss.streams.ports import Publisher
from vss.workers.ingest.backoff import Backoff
from vss.workers.ingest.capture import Capture, Taker
from vss.workers.ingest.counts import Tally
from vss.workers.ingest.parts import Parts
from vss.workers.ingest.publishing import Publishing
from vss.workers.ingest.source import Source
from vss.workers.ingest.status import State

S = TypeVar("S")
T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class FeedReport:
    """How a feed ended.

    Attributes:
        error: Why it failed; None when it did not.
    """

    id: str
    state: State
    tally: Tally
    error: Exception | None = None

    @property
    def exit_code(self) -> int:
        """0 well, 1 failed, 2 the user can fix it."""
        return 0 if self.error is None else getattr(self.error, "exit_code", 1)


class Feed:
    """One camera or sensor of a process.

    Args:
        parts: What its two halves share.
        source: Where its items come from.
        taker: Puts into the buffer what the source gives.
        encode: Makes the message of what is in the buffer; raises `BadRecord` where none can be made.
        publisher: Kafka; may be shared with other feeds.
        loop: Begin again at the end of what is not live.
        random: Jitter.
    """

    def __init__(
        self,
        parts: Parts[T],
        source: Source[S],
        taker: Taker[S],
        encode: Callable[[T], Message],
        publisher: Publisher,
        *,
        loop: bool,
        random: random.Random,
    ) -> None:
        self.id = parts.id
        self.role = parts.naming.role
        self._source = source
        self._buffer = parts.buffer
        self._counts = parts.counts
        self._status = parts.status
        self._stop = parts.stop
        self._logger = parts.logger
        self._capture = Capture(
            source,
            taker,
            item=parts.naming.item,
            loop=loop,
            backoff=Backoff(random),
            status=parts.status,
            clock=parts.clock,
            stop=parts.stop,
        )
        self._publishing = Publishing(
            parts.buffer,
            encode,
            publisher,
            sheds=source.live,
            items=parts.naming.items,
            counts=parts.counts,
            stop=parts.stop,
            logger=parts.logger,
        )
        self._error: Exception | None = None
        # Daemons: a source may sit in a call that nothing but its timeout ends.
        self._threads = [
            threading.Thread(target=self._run_capture, name=f"capture {self.id}", daemon=True),
            threading.Thread(target=self._run_publishing, name=f"publish {self.id}", daemon=True),
        ]

    @property
    def ended(self) -> bool:
        """Whether it publishes nothing any more."""
        return not self._threads[1].is_alive()

    def start(self) -> None:
        """Begins to capture."""
        self._logger.info(f"{self.role} starts", source=self._source.name, live=self._source.live)
        for thread in self._threads:
            thread.start()

    def stop(self) -> None:
        """Captures nothing any more; what is in the buffer is still published. Does not wait."""
        self._stop.set()
        self._buffer.close()

    def join(self, deadline: Deadline) -> None:
        """Waits for the end of both threads, but not for a source that keeps silent."""
        for thread in reversed(self._threads):
            thread.join(deadline.remaining_s())

    def readiness(self) -> list[str]:
        """Why it does not deliver; what ended well is no reason."""
        if self._status.state in (State.UP, State.FINISHED):
            return []
        return [f"{self.role} {self.id}: {self._status.why}"]

    def report(self) -> FeedReport:
        """How it stands, or ended."""
        return FeedReport(self.id, self._status.state, self._counts.tally(), self._error)

    def _run_capture(self) -> None:
        try:
            self._capture.run()
        except Exception as error:  # whatever it is, the process's other feeds go on
            self._fail(error)
        finally:
            self._buffer.close()

    def _run_publishing(self) -> None:
        try:
            self._publishing.run()
        except Exception as error:  # whatever it is, the process's other feeds go on
            self._fail(error)
            self._stop.set()
            self._publishing.abandon()
        self._status.finish()

    def _fail(self, error: Exception) -> None:
        if self._error is not None or self._stop.is_set():
            return
        self._error = error
        if isinstance(error, VssError):
            self._status.fail(str(error), error.fix)
        else:
            self._logger.error("unexpected error", exc_info=error)
            self._status.fail(f"unexpected {type(error).__name__}: {error}")
