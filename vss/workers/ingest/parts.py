"""What the two halves of a camera or sensor share."""

from __future__ import annotations

import threading
from dataclasses import dataclass
from typing import Generic, TypeVar

from prometheus_client import Counter, Gauge

from vss.clock import Clock
from vss.logs import Logger
from vss.workers.ingest.buffer import Buffer
from vss.workers.ingest.counts import Counts
from vss.workers.ingest.status import SourceStatus

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Naming:
    """What people call it.

    Attributes:
        role: `camera`, `sensor`.
        item: What its source delivers: `picture`, `reading`.
        items: What is published: `frames`, `readings`.
    """

    role: str
    item: str
    items: str


@dataclass(frozen=True, slots=True)
class FeedMetrics:
    """Where it is counted: the label of each is what it is called; `dropped` has a second, the reason."""

    up: Gauge
    reconnects: Counter
    buffered: Gauge
    captured: Counter
    published: Counter
    dropped: Counter


class Parts(Generic[T]):
    """Made once a feed.

    Args:
        id: What it is called.
        naming: What people call its kind.
        size: Items that may wait between source and Kafka.
        live: The oldest goes when the buffer is full; else the source waits.
        metrics: Where it is counted.
        clock: Time.
        logger: Its lines carry the id.
    """

    def __init__(
        self,
        id: str,  # noqa: A002 - what users call it
        naming: Naming,
        *,
        size: int,
        live: bool,
        metrics: FeedMetrics,
        clock: Clock,
        logger: Logger,
    ) -> None:
        self.id = id
        self.naming = naming
        self.clock = clock
        self.logger = logger.bind(**{naming.role: id})
        self.stop = threading.Event()
        self.buffer: Buffer[T] = Buffer(size, shed_oldest=live)
        metrics.buffered.labels(id).set_function(lambda: len(self.buffer))
        self.counts = Counts(id, metrics.captured, metrics.published, metrics.dropped)
        self.status = SourceStatus(
            naming.role,
            metrics.up.labels(id),
            metrics.reconnects.labels(id),
            item=naming.item,
            clock=clock,
            logger=self.logger,
        )
