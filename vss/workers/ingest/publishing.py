"""The publishing half of a camera or sensor: takes from the buffer, encodes, and writes to Kafka."""

from __future__ import annotations

import threading
from collections.abc import Callable
from typing import Generic, TypeVar

from vss.errors import BadRecord, BrokerUnavailable, RecordTooLarge, StreamError, VssError
from vss.logs import Logger
from vss.schemas.envelope import Message
from vss.streams.ports import Publisher
from vss.workers.ingest.buffer import Buffer
from vss.workers.ingest.counts import Counts, DropReason

T = TypeVar("T")

_RETRY_EVERY_S = 0.05
# These begin and end, and each time that is news; the others are faults of single items, said once a run.
_OUTAGES = frozenset({DropReason.QUEUE_FULL, DropReason.BROKER_AWAY, DropReason.REFUSED})


class Publishing(Generic[T]):
    """Runs on a thread of its own, so that encoding never holds capture up.

    Args:
        buffer: Where items come from.
        encode: Makes the message of an item; raises `BadRecord` where none can be made.
        publisher: Kafka; may be shared with other sources.
        sheds: What Kafka's queue has no room for is dropped (live sources), or waits (files).
        items: What the log calls them: `frames`, `readings`.
        counts: Told of every item's end.
        stop: It is to stop; nothing is waited for any more.
        logger: One line when items begin to be lost and one when they are written again.
    """

    def __init__(
        self,
        buffer: Buffer[T],
        encode: Callable[[T], Message],
        publisher: Publisher,
        *,
        sheds: bool,
        items: str,
        counts: Counts,
        stop: threading.Event,
        logger: Logger,
    ) -> None:
        self._buffer = buffer
        self._encode = encode
        self._publisher = publisher
        self._sheds = sheds
        self._items = items
        self._counts = counts
        self._stop = stop
        self._logger = logger
        self._lock = threading.Lock()
        self._unconfirmed = 0
        self._losing: DropReason | None = None
        self._said: set[DropReason] = set()
        self._failure: VssError | None = None

    def run(self) -> None:
        """Publishes until the buffer is closed and empty; what comes from files is then waited for.

        Raises:
            StreamError: The publisher can do no more, or the broker refuses what must not be lost.
            ConfigError: The same, for a reason the user can mend.
        """
        while (item := self._buffer.take()) is not None:
            self._publish(item)
            self._publisher.poll()
            self._raise_failure()
        while not self._sheds and self._unconfirmed and not self._stop.is_set():
            self._publisher.poll(_RETRY_EVERY_S)
            self._raise_failure()

    def abandon(self) -> None:
        """Counts what is left in the buffer after `run` raised."""
        self._buffer.close()
        while self._buffer.take() is not None:
            self._counts.drop(DropReason.STOPPED)

    def _publish(self, item: T) -> None:
        try:
            message = self._encode(item)
        except BadRecord as error:
            self._lost(DropReason.UNDECODABLE, str(error))
            return
        with self._lock:
            self._unconfirmed += 1
        tries = 0
        while not self._publisher.publish(message, self._delivered):
            tries += 1
            if self._stop.is_set() or (self._sheds and tries > 1):
                with self._lock:
                    self._unconfirmed -= 1
                self._lost(DropReason.STOPPED if self._stop.is_set() else DropReason.QUEUE_FULL, "the queue is full")
                return
            self._publisher.poll(_RETRY_EVERY_S)
            self._raise_failure()

    def _delivered(self, error: Exception | None) -> None:
        """Called by the publisher, from whichever thread serves it."""
        with self._lock:
            self._unconfirmed -= 1
        if error is None:
            self._counts.publish()
            self._written()
            return
        reason = _reason(error)
        if not self._sheds and reason is DropReason.REFUSED and self._failure is None:
            self._failure = error if isinstance(error, VssError) else StreamError(str(error))
        self._lost(reason, str(error))

    def _lost(self, reason: DropReason, why: str) -> None:
        self._counts.drop(reason)
        with self._lock:
            news = reason is not self._losing if reason in _OUTAGES else reason not in self._said
            self._said.add(reason)
            if reason in _OUTAGES:
                self._losing = reason
        if news and not self._stop.is_set():
            self._logger.warning(
                f"{self._items} are lost; vss_{self._items}_dropped_total counts them", reason=reason.value, why=why
            )

    def _written(self) -> None:
        with self._lock:
            lost, self._losing = self._losing, None
        if lost is not None:
            self._logger.info(f"{self._items} are written again")

    def _raise_failure(self) -> None:
        if self._failure is not None:
            raise self._failure


def _reason(error: Exception) -> DropReason:
    if isinstance(error, BrokerUnavailable):
        return DropReason.BROKER_AWAY
    return DropReason.TOO_LARGE if isinstance(error, RecordTooLarge) else DropReason.REFUSED
