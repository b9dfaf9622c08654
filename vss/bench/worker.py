"""A whole worker in this process: frames from a real topic to committed events."""

from __future__ import annotations

import threading
import uuid
from collections.abc import Callable, Mapping, Sequence
from contextlib import ExitStack
from dataclasses import dataclass

from vss.bench.backlog import publish_backlog
from vss.bench.watched import TimedLoop, WatchedSink, in_group
from vss.clock import Deadline, SystemClock
from vss.config import Settings
from vss.errors import InferenceFailed, StreamError
from vss.logs import Logger, get_logger
from vss.metrics import Metrics
from vss.model_store.evaluation.usage import Usage
from vss.model_store.serving.requests import Server
from vss.schemas import topics as catalogue
from vss.schemas.envelope import Message
from vss.streams.dead_letters import PREFIX
from vss.streams.log_reader import LogReader
from vss.workers.pictures.kinds import CLASSIFY, DETECT, PictureWorker
from vss.workers.pictures.step import PictureStep
from vss.workers.service import make_loop

_EVENTS = {DETECT.task: catalogue.DETECTIONS, CLASSIFY.task: catalogue.CLASSIFICATIONS}
_PATIENCE_S = 120.0


@dataclass(frozen=True, slots=True)
class Work:
    """What a worker did.

    Attributes:
        usage: From the moment partitions were assigned to the last durable event.
        stages: Seconds by stage, as the worker's own metrics count them; stages overlap.
    """

    usage: Usage
    stages: Mapping[str, float]


class _Count:
    """What a worker has committed; ends its run with the last event."""

    def __init__(self, topic: str, expected: int, stop: threading.Event, on_events: Callable[[int], None]) -> None:
        self._topic = topic
        self._expected = expected
        self._events = 0
        self._on_events = on_events
        self._stop = stop
        self.loop: TimedLoop | None = None
        self.usage: Usage | None = None
        self.transactions = 0
        # Of frames that became no event: how many, and what the first one became.
        self.others = 0
        self.first_other: Message | None = None

    def committed(self, messages: Sequence[Message]) -> None:
        """A transaction is durable."""
        self.transactions += 1
        self._events += len(messages)
        others = [message for message in messages if message.topic != self._topic]
        self.others += len(others)
        self.first_other = self.first_other or next(iter(others), None)
        self._on_events(self._events)
        if self._events >= self._expected:
            if self.loop is not None and self.loop.watch is not None:
                self.usage = self.loop.watch.read()
            self._stop.set()


class LastingStep(PictureStep):
    """Leaves the model open for the next run."""

    def close(self) -> None:
        """Frees nothing."""


class WorkerBench:
    """Topics full of frames, and workers that read them from the beginning.

    Args:
        settings: The cluster; its prefix must be this bench's own.
        kind: Which workers.
        server: What answers them, and counts in `metrics`; not closed.
        metrics: Where everything is counted.
    """

    def __init__(self, settings: Settings, kind: PictureWorker, server: Server, metrics: Metrics) -> None:
        self._settings = settings
        self._kind = kind
        self._server = server
        self._metrics = metrics
        self._logger: Logger = get_logger("bench")
        prefix = settings.kafka.topic_prefix
        self._frames = catalogue.FRAMES.name(prefix)
        self._events = _EVENTS[kind.task].name(prefix)
        self.transactions = 0

    def fill(self, jpegs: Sequence[bytes], frames: int) -> None:
        """Makes the topics and publishes that many frames of several cameras.

        Raises:
            StreamError: The cluster does not take them.
        """
        publish_backlog(self._settings.kafka, jpegs, frames)

    def work(self, frames: int, on_events: Callable[[int], None] = lambda _: None) -> Work:
        """Lets a fresh worker of a fresh group turn all frames into events.

        Args:
            frames: How many `fill` has published.
            on_events: Told after each transaction how many events there are.

        Raises:
            InferenceFailed: Frames became dead letters, or were shed.
            StreamError: The cluster fails.
        """
        group = f"bench-{uuid.uuid4().hex[:12]}"
        settings = in_group(self._settings, group)
        stop, clock = threading.Event(), SystemClock()
        count = _Count(self._events, frames, stop, on_events)
        step = LastingStep.of(
            self._kind, settings, server=self._server, group=group, metrics=self._metrics, clock=clock
        )
        before = self._stages()
        with ExitStack() as resources:
            loop = make_loop(
                step,
                settings=settings,
                topics=[self._frames],
                metrics=self._metrics,
                logger=self._logger,
                resources=resources,
                clock=clock,
                kind=TimedLoop,
                watched=lambda sink: WatchedSink(sink, count.committed),
            )
            assert isinstance(loop, TimedLoop)  # noqa: S101 - as it was asked for
            count.loop = loop
            loop.run(stop)
        self.transactions += count.transactions
        if count.usage is None:
            raise StreamError("the worker stopped before all frames had an event")
        if count.first_other is not None:
            raise InferenceFailed(f"{count.others} of {frames} frames became no event: {_why(count.first_other)}")
        after = self._stages()
        stages = {name: (after[name] - before.get(name, 0.0)) / frames for name in after}
        return Work(count.usage.per_frame(frames), stages)

    def committed_events(self) -> int:
        """Events that a `read_committed` reader finds."""
        with LogReader(self._settings.kafka) as reader:
            spans = reader.decided_spans([self._events], Deadline.after(_PATIENCE_S, SystemClock()))
            starts = {partition: span.low for partition, span in spans.items()}
            ends = {partition: span.end for partition, span in spans.items()}
            return sum(len(records) for records in reader.read(starts, ends))

    def _stages(self) -> dict[str, float]:
        seconds = {
            sample.labels["stage"]: sample.value
            for family in self._metrics.stage_seconds.collect()
            for sample in family.samples
            if sample.name.endswith("_total")
        }
        seconds["transaction"] = sum(
            sample.value
            for family in self._metrics.transaction_seconds.collect()
            for sample in family.samples
            if sample.name.endswith("_sum")
        )
        return seconds


def _why(other: Message) -> str:
    """What the dead letter of a frame says; else where the frame went."""
    reasons = [value for name, value in other.headers if name == f"{PREFIX}exception.message" and value]
    return reasons[-1].decode() if reasons else f"they went to {other.topic}"
