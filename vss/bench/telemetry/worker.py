"""The worker's side: a whole loop in this process, from the topic to the committed event."""

from __future__ import annotations

import threading
import uuid
from collections.abc import Mapping, Sequence
from contextlib import ExitStack

from vss.bench.telemetry.feed import Feed
from vss.bench.telemetry.rolling import FEATURES, PERIOD_MS, STRIDE, WINDOW
from vss.bench.telemetry.step import RollingStep
from vss.bench.watched import TimedLoop, in_group
from vss.clock import SystemClock
from vss.codecs.readings import ReadingLimits
from vss.config import Settings
from vss.errors import StreamError
from vss.logs import get_logger
from vss.metrics import Metrics
from vss.model_store.evaluation.usage import Usage
from vss.schemas.envelope import Commit, Message, TopicPartition
from vss.streams.ports import Sink
from vss.streams.windows.keyed_windows import KeyedWindows
from vss.streams.windows.layout import WindowLayout
from vss.workers.service import make_loop
from vss.workers.telemetry.intake import Intake


class _UntilAll:
    """A sink that ends a run once all readings have their outcome (see `Sink`).

    Args:
        sink: Writes them.
        readings: How many there are.
        stop: Set with the last.
    """

    def __init__(self, sink: Sink, readings: int, stop: threading.Event) -> None:
        self._sink = sink
        self._readings = readings
        self._stop = stop
        self._committed: dict[TopicPartition, int] = {}
        self.loop: TimedLoop | None = None
        self.usage: Usage | None = None
        self.transactions = 0

    def transact(self, messages: Sequence[Message], commits: Mapping[TopicPartition, Commit], group: object) -> None:
        """See `Sink.transact`."""
        self._sink.transact(messages, commits, group)
        self.transactions += 1
        self._committed.update({partition: commit.offset for partition, commit in commits.items()})
        if sum(self._committed.values()) >= self._readings:
            if self.loop is not None and self.loop.watch is not None:
                self.usage = self.loop.watch.read()
            self._stop.set()

    def close(self) -> None:
        """See `Sink.close`."""
        self._sink.close()


def run_worker(settings: Settings, feed: Feed, *, source: str, target: str, batch: int) -> tuple[Usage, float]:
    """Lets a fresh worker of a fresh group turn all readings into events.

    Args:
        settings: The cluster, the windows and the limits.
        feed: What is in `source`.
        source: Topic of readings.
        target: Topic of events.
        batch: Readings in a micro-batch, at most.

    Returns:
        For one reading, from the moment partitions were assigned to the last durable event; and readings a transaction.

    Raises:
        StreamError: The worker stopped before all readings had their outcome.
    """
    settings = in_group(settings, f"bench-{uuid.uuid4().hex[:12]}")
    settings = settings.model_copy(
        update={
            "loop": settings.loop.model_copy(update={"max_batch": batch}),
            "windows": settings.windows.model_copy(update={"stride": STRIDE}),
        }
    )
    metrics, stop = Metrics(), threading.Event()
    layout = WindowLayout(features=FEATURES, window=WINDOW, period_ms=PERIOD_MS)
    windows = KeyedWindows(layout, settings.windows, step=RollingStep.name, metrics=metrics)
    intake = Intake(windows, limits=ReadingLimits.of(settings.limits))
    sinks: list[_UntilAll] = []

    def watched(sink: Sink) -> Sink:
        sinks.append(_UntilAll(sink, feed.readings, stop))
        return sinks[0]

    with ExitStack() as resources:
        loop = make_loop(
            RollingStep(intake, target=target),
            settings=settings,
            topics=[source],
            metrics=metrics,
            logger=get_logger("bench"),
            resources=resources,
            clock=SystemClock(),
            kind=TimedLoop,
            watched=watched,
            state=intake,
        )
        assert isinstance(loop, TimedLoop)  # noqa: S101 - as it was asked for
        sinks[0].loop = loop
        loop.run(stop)
    usage = sinks[0].usage
    if usage is None:
        raise StreamError("the worker stopped before all readings had their outcome")
    return usage.per_frame(feed.readings), feed.readings / sinks[0].transactions
