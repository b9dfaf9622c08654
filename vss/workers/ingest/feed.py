"""A source on its way into Kafka, on two threads: one captures, one encodes and publishes."""

from __future__ import annotations

import threading
from dataclasses import dataclass
from typing import Protocol

from vss.clock import Deadline
from vss.errors import VssError
from vss.logs import Logger
from vss.workers.ingest.counts import Counts, Tally
from vss.workers.ingest.status import SourceStatus, State


class Capturing(Protocol):
    """The half that reads the source; see `vss.workers.ingest.capture`."""

    def run(self) -> None:
        """Until the source ends for good or the feed stops."""


class Writing(Protocol):
    """The half that writes to Kafka; see `vss.workers.ingest.publishing`."""

    def run(self) -> None:
        """Until the buffer is closed and empty."""

    def abandon(self) -> None:
        """Counts what is left in the buffer after `run` raised."""


class Closing(Protocol):
    """The buffer between them, as far as this file knows it."""

    def close(self) -> None:
        """Nothing comes any more."""


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
        id: What it is called.
        role: `camera` or `sensor`.
        shown: What the log says of its source when it starts.
        capture: Reads.
        publishing: Writes.
        buffer: Between them; closed when nothing comes any more.
        counts: Its account.
        status: Its state.
        stop: Set when it is to stop.
        logger: Its lines carry the feed's id.
    """

    def __init__(
        self,
        id: str,  # noqa: A002 - what users call it
        role: str,
        shown: dict[str, object],
        *,
        capture: Capturing,
        publishing: Writing,
        buffer: Closing,
        counts: Counts,
        status: SourceStatus,
        stop: threading.Event,
        logger: Logger,
    ) -> None:
        self.id = id
        self.role = role
        self._shown = shown
        self._capture = capture
        self._publishing = publishing
        self._buffer = buffer
        self._counts = counts
        self._status = status
        self._stop = stop
        self._logger = logger
        self._error: Exception | None = None
        # Daemons: a source may sit in a call that nothing but its timeout ends.
        self._threads = [
            threading.Thread(target=self._run_capture, name=f"capture {id}", daemon=True),
            threading.Thread(target=self._run_publishing, name=f"publish {id}", daemon=True),
        ]

    @property
    def ended(self) -> bool:
        """Whether it publishes nothing any more."""
        return not self._threads[1].is_alive()

    def start(self) -> None:
        """Begins to capture."""
        self._logger.info(f"{self.role} starts", **self._shown)
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
