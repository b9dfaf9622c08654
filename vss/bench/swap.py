"""What a swap costs a worker under full load: frames lost, frames doubled, and how long its output pauses."""

from __future__ import annotations

import tempfile
import threading
import time
import uuid
from collections import Counter
from collections.abc import Callable, Sequence
from contextlib import ExitStack
from dataclasses import dataclass, field
from typing import Final

import orjson

from vss.bench.backlog import publish_backlog
from vss.bench.swap_report import Committed, SwapBench, Swapped, swap_report
from vss.bench.watched import WatchedSink, in_group
from vss.clock import SystemClock
from vss.config import Settings
from vss.errors import ModelError, StreamError
from vss.logs import get_logger
from vss.metrics import Metrics
from vss.model_store.resolve import ModelRef
from vss.model_store.serving.serving import Serving
from vss.model_store.store import ModelStore
from vss.schemas import topics as catalogue
from vss.schemas.envelope import Message
from vss.workers.activation.event_watch import EventWatch
from vss.workers.activation.following import SWAPPED, Following
from vss.workers.activation.operator import prepare_activation, publish
from vss.workers.pictures.kinds import DETECT
from vss.workers.pictures.step import PictureStep
from vss.workers.service import make_loop

_NAME: Final = "swap"
_PATIENCE_S: Final = 120.0
_WARM_UP: Final = 0.1
"""Share of the frames before the first swap: kernels, caches and the fetch queue settle."""


@dataclass(slots=True)
class _Story:
    """What happened when. Written by the commit thread, read by the operator's."""

    expected: int
    stop: threading.Event
    on_events: Callable[[int], None]
    commits: list[Committed] = field(default_factory=list)
    events: int = 0

    def committed(self, messages: Sequence[Message], topic: str) -> None:
        """A transaction is durable."""
        versions = Counter(orjson.loads(m.value or b"{}")["model_version"] for m in messages if m.topic == topic)
        self.commits.append(Committed(time.monotonic(), versions))
        self.events += len(messages)
        self.on_events(len(messages))
        if self.events >= self.expected:
            self.stop.set()

    def wait(self, events: int) -> bool:
        """Waits until there are that many events; false when the worker has stopped before."""
        while self.events < events:
            if self.stop.wait(0.002):
                return self.events >= events
        return True


class _Operator(threading.Thread):
    """Activates the two versions in turn, each at its place in the backlog."""

    def __init__(self, settings: Settings, story: _Story, swaps: int) -> None:
        super().__init__(name="operator", daemon=True)
        self._settings = settings
        self._story = story
        self._swaps = swaps
        self.done: list[Swapped] = []
        self.error: Exception | None = None

    def run(self) -> None:
        """See `threading.Thread.run`."""
        try:
            for i in range(self._swaps):
                share = _WARM_UP + (1 - _WARM_UP) * i / self._swaps
                if not self._story.wait(int(self._story.expected * share)):
                    return
                self._swap(str(i % 2 + 1))
        except Exception as error:  # told to whoever waits for the run
            self.error = error
            self._story.stop.set()

    def _swap(self, version: str) -> None:
        change = prepare_activation(self._settings, _NAME, version)
        with EventWatch(self._settings.kafka) as watch:
            started_s = time.monotonic()
            publish(self._settings, change)
            for event in watch.about(change.activation.id, wait_s=_PATIENCE_S, stop=self._story.stop):
                if event.kind != SWAPPED:
                    raise ModelError(f"the worker did not swap: {event.reason}")
                self.done.append(Swapped(version, started_s, time.monotonic()))
                return
        if not self._story.stop.is_set():
            raise StreamError(f"the worker did not say within {_PATIENCE_S:.0f} s that it has swapped")


def bench_swap(
    settings: Settings,
    ref: ModelRef,
    jpegs: Sequence[bytes],
    *,
    frames: int,
    swaps: int,
    on_events: Callable[[int], None] = lambda _: None,
) -> SwapBench:
    """Lets a worker work through a backlog, and activates another version again and again.

    The two versions are one file, stored twice: what is measured is the swap, not a difference of models.

    Args:
        settings: The cluster, with a prefix of the bench's own, and the model's settings.
        ref: The model.
        jpegs: Different frames.
        frames: In the backlog.
        swaps: How many.
        on_events: Told of each transaction's events.

    Raises:
        ModelError: The model cannot be served.
        StreamError: The cluster fails, or the backlog ends before the last swap.
    """
    with tempfile.TemporaryDirectory(prefix="vss-bench-") as folder:
        model = settings.model.model_copy(update={"store": folder})
        settings = settings.model_copy(update={"model": model})
        store = ModelStore.of(model)
        for _ in range(2):
            store.add(ref.file, _NAME, ref.manifest, check=lambda _: None, smoke=ref.smoke)
        publish_backlog(settings.kafka, jpegs, frames)
        story = _Story(frames, threading.Event(), on_events)
        operator = _Operator(settings, story, swaps)
        _work(settings, story, operator)
    if operator.error is not None:
        raise operator.error
    if len(operator.done) < swaps or story.events < frames:
        raise StreamError(
            f"{len(operator.done)} of {swaps} swaps were done when {frames} frames were over",
            fix="measure with more --frames or fewer --swaps",
        )
    return swap_report(settings.kafka, story.commits, operator.done, frames=frames, model=ref.file.name)


def _work(settings: Settings, story: _Story, operator: _Operator) -> None:
    """A whole worker in this process, until every frame has its event."""
    metrics, clock, logger = Metrics(), SystemClock(), get_logger("bench")
    group, prefix = f"bench-{uuid.uuid4().hex[:12]}", settings.kafka.topic_prefix
    settings = in_group(settings, group)
    events = catalogue.DETECTIONS.name(prefix)
    with ExitStack() as resources:
        serving = Serving.of(settings.model, metrics=metrics, logger=logger, clock=clock)
        resources.callback(serving.close)
        following = resources.enter_context(
            Following(serving, settings.kafka, group=group, metrics=metrics, logger=logger)
        )
        following.serve(_NAME, DETECT.task)
        loop = make_loop(
            PictureStep.of(DETECT, settings, server=serving, group=group, metrics=metrics, clock=clock),
            settings=settings,
            topics=[catalogue.FRAMES.name(prefix)],
            metrics=metrics,
            logger=logger,
            resources=resources,
            clock=clock,
            watched=lambda sink: WatchedSink(sink, lambda messages: story.committed(messages, events)),
        )
        operator.start()
        loop.run(story.stop)
    operator.join(_PATIENCE_S)
