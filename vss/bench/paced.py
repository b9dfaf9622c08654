"""How old frames are when their events are committed, while they come at a steady rate."""

from __future__ import annotations

import statistics
import threading
import time
from collections.abc import Callable, Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from typing import Any, Final

from vss.bench.worker import LastingStep
from vss.clock import Deadline, SystemClock
from vss.codecs.headers import encode_frame_header
from vss.config import Settings
from vss.errors import StreamError
from vss.logs import get_logger
from vss.metrics import Metrics
from vss.model_store.runner.runner import Runner
from vss.model_store.serving.single import SingleModel
from vss.schemas.envelope import Message
from vss.schemas.frame import FrameHeader
from vss.schemas.topics import FRAMES
from vss.streams.kafka_publisher import KafkaPublisher
from vss.streams.topic_admin import create_topics
from vss.workers.pictures.kinds import PictureWorker
from vss.workers.service import consumer_group, make_loop

_CAMERAS: Final = 16
_PATIENCE_S: Final = 60.0
# Connections, caches and the sizes of batches settle.
_WARM_UP_S: Final = 1.0


@dataclass(frozen=True, slots=True)
class Ages:
    """Of frames, from their capture to their committed event.

    Attributes:
        offered_a_second: Frames published a second.
        committed_a_second: Events committed a second, until the last.
        p50_ms: Half of the frames were younger.
        p95_ms: 95 of a hundred were.
        p99_ms: 99 of a hundred were.
        frames: How many.
    """

    offered_a_second: float
    committed_a_second: float
    p50_ms: float
    p95_ms: float
    p99_ms: float
    frames: int


class _EveryAge:
    """Takes the place of the histogram of ages, whose buckets are too coarse for a percentile."""

    def __init__(self) -> None:
        self.seconds: list[float] = []

    def labels(self, _step: str) -> _EveryAge:
        return self

    def observe(self, seconds: float) -> None:
        self.seconds.append(seconds)


def measure_ages(
    settings: Settings,
    kind: PictureWorker,
    runner: Runner[Any],
    jpegs: Sequence[bytes],
    *,
    frames_a_second: float,
    seconds: float,
) -> Ages:
    """Publishes frames at a rate and has a worker in this process look at them.

    Args:
        settings: The cluster, with a topic prefix that nobody else uses.
        kind: Which worker.
        runner: What it looks with.
        jpegs: Different frames.
        frames_a_second: The rate.
        seconds: For how long, behind a second of warm-up that does not count.

    Raises:
        StreamError: The cluster or the worker does not keep up at all.
    """
    create_topics(settings.kafka)
    metrics, ages = Metrics(), _EveryAge()
    metrics.frame_age = ages  # type: ignore[assignment]
    logger = get_logger("bench")
    stop = threading.Event()
    failures: list[BaseException] = []
    group = consumer_group(settings, kind.name)
    server = SingleModel(runner)
    step = LastingStep.of(kind, settings, server=server, group=group, metrics=metrics, clock=SystemClock())
    topic = FRAMES.name(settings.kafka.topic_prefix)
    with ExitStack() as resources:
        loop = make_loop(step, settings=settings, topics=[topic], metrics=metrics, logger=logger, resources=resources)
        publish = _Publishing(settings, topic, jpegs, frames_a_second)
        resources.callback(publish.close)

        def run() -> None:
            try:
                loop.run(stop)
            except BaseException as error:
                failures.append(error)

        worker = threading.Thread(target=run, name="worker")
        worker.start()
        try:
            _wait(lambda: bool(failures) or not loop.readiness(), "the worker got no partitions")
            warm = publish.run(_WARM_UP_S)
            _wait(lambda: bool(failures) or len(ages.seconds) >= warm, "the worker made no events")
            started_s = time.perf_counter()
            counted = publish.run(seconds)
            offered_s = time.perf_counter() - started_s
            _wait(lambda: bool(failures) or len(ages.seconds) >= warm + counted, "the worker did not keep up")
            committed_s = time.perf_counter() - started_s
        finally:
            stop.set()
            worker.join(_PATIENCE_S)
    if failures:
        raise StreamError(f"the worker stopped: {failures[0]}")
    return _ages(ages.seconds[warm:], counted, offered_s, committed_s)


def _ages(seconds: Sequence[float], frames: int, offered_s: float, committed_s: float) -> Ages:
    hundredths = statistics.quantiles((age * 1000 for age in seconds), n=100)
    return Ages(
        offered_a_second=frames / offered_s,
        committed_a_second=frames / committed_s,
        p50_ms=hundredths[49],
        p95_ms=hundredths[94],
        p99_ms=hundredths[98],
        frames=frames,
    )


class _Publishing:
    """Publishes frames of several cameras, each with the time at which it is published."""

    def __init__(self, settings: Settings, topic: str, jpegs: Sequence[bytes], frames_a_second: float) -> None:
        self._publisher = KafkaPublisher(settings.kafka, logger=get_logger("bench"))
        self._topic = topic
        self._jpegs = jpegs
        self._period_s = 1 / frames_a_second
        self._seq = 0
        self._clock = SystemClock()

    def run(self, seconds: float) -> int:
        """Publishes for so long, and returns how many it were."""
        started_s, published = time.perf_counter(), 0
        while (due_s := published * self._period_s) < seconds:
            time.sleep(max(0.0, started_s + due_s - time.perf_counter()))
            self._publish()
            published += 1
        return published

    def close(self) -> None:
        self._publisher.close()

    def _publish(self) -> None:
        camera = f"camera-{self._seq % _CAMERAS}"
        headers = encode_frame_header(FrameHeader(camera_id=camera, captured_ns=self._clock.now_ns()))
        message = Message(self._topic, camera.encode(), self._jpegs[self._seq % len(self._jpegs)], headers)
        while not self._publisher.publish(message):
            self._publisher.poll(0.01)
        self._publisher.poll(0)
        self._seq += 1


def _wait(condition: Callable[[], bool], otherwise: str) -> None:
    """Waits for a condition.

    Raises:
        StreamError: It does not come about.
    """
    deadline = Deadline.after(_PATIENCE_S, SystemClock())
    while not condition():
        if deadline.passed():
            raise StreamError(otherwise)
        time.sleep(0.01)
