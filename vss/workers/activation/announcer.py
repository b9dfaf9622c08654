"""Writes what a worker has to say about its models, on a thread of its own: neither a load nor a frame waits for it."""

from __future__ import annotations

import contextlib
import queue
import threading
from typing import Protocol

from vss.errors import VssError
from vss.logs import Logger
from vss.schemas.models import ModelEvent, ModelVerdict

_WAITING = 256
_CLOSE_PATIENCE_S = 3.0


class Writer(Protocol):
    """What writes: `vss.streams.activation_writer.ActivationWriter`."""

    def verdict(self, verdict: ModelVerdict) -> None:
        """Writes a verdict; raises `VssError` when it is not known to be written."""

    def event(self, event: ModelEvent) -> None:
        """Writes an event; raises `VssError` when it is not known to be written."""

    def close(self) -> None:
        """Disconnects."""


class Announcer:
    """Says one thing after the other. `say` may be called from any thread.

    Args:
        writer: Closed with it. It should be patient: what it could not write at once is not said again here.
        logger: For what could not be written.
    """

    def __init__(self, writer: Writer, *, logger: Logger) -> None:
        self._writer = writer
        self._logger = logger
        self._waiting: queue.Queue[ModelEvent | ModelVerdict | None] = queue.Queue(_WAITING)
        self._thread = threading.Thread(target=self._run, name="announcer", daemon=True)
        self._thread.start()

    def say(self, what: ModelEvent | ModelVerdict) -> None:
        """Writes it soon; returns at once."""
        try:
            self._waiting.put_nowait(what)
        except queue.Full:
            # Operators do not swap hundreds of times while a broker is away.
            self._logger.error("too much waits to be said about models; left out", model=what.name, reason=what.reason)

    def close(self) -> None:
        """Says what waits, for a moment at most, and disconnects. Idempotent."""
        with contextlib.suppress(queue.Full):
            self._waiting.put_nowait(None)
        self._thread.join(_CLOSE_PATIENCE_S)
        self._writer.close()

    def _run(self) -> None:
        while (what := self._waiting.get()) is not None:
            try:
                if isinstance(what, ModelVerdict):
                    self._writer.verdict(what)
                else:
                    self._writer.event(what)
            except VssError as error:
                self._logger.warning("not written yet", what=type(what).__name__, model=what.name, reason=str(error))
