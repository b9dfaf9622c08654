"""What a worker that looks at windows costs beside its model, measured on both sides in turn."""

from __future__ import annotations

import statistics
import threading
import time
import uuid
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from dataclasses import dataclass
from typing import Final, cast

import numpy as np
from numpy.typing import NDArray

from vss.bench.served import serve_one
from vss.bench.telemetry.series_feed import SeriesFeed
from vss.bench.watched import TimedLoop, WatchedSink, in_group
from vss.clock import SystemClock
from vss.config import ModelSettings, Settings
from vss.errors import InferenceFailed, StreamError
from vss.logs import get_logger
from vss.metrics import Metrics
from vss.model_store.backends.load import open_model
from vss.model_store.backends.onnx import usable_cores
from vss.model_store.evaluation.usage import Stopwatch, Usage
from vss.model_store.resolve import ModelRef
from vss.model_store.serving.serving import Serving
from vss.model_store.serving.windows import Scoring
from vss.model_store.tasks.series.imputing import Windows
from vss.model_store.tasks.series.spec import SeriesSpec
from vss.schemas.envelope import Message
from vss.schemas.topics import TELEMETRY
from vss.streams.topic_admin import create_topics
from vss.streams.windows.layout import WindowLayout
from vss.workers.collector import looks_rarely
from vss.workers.service import make_loop
from vss.workers.telemetry.kinds import ANOMALY, FORECAST, SensorWorker
from vss.workers.telemetry.program import READINGS_BATCH, sensor_step, with_batch_for
from vss.workers.turns import short_turns

# Windows a call that the model alone is tried with; the fastest is what the worker is held to.
_CALLS: Final = (32, 128, 512, 1024)
NEVER_PASSED: Final = 1e9
"""A threshold under which every window is normal."""
_KINDS: Final = {"anomaly": ANOMALY, "forecast": FORECAST}


@dataclass(frozen=True, slots=True)
class SeriesRound:
    """Both sides once, the model alone before and after the worker; for one window.

    Attributes:
        raw: The model alone: the mean of before and after.
        worker: The worker, its readings of before the first window included.
    """

    raw: Usage
    worker: Usage


@dataclass(frozen=True, slots=True)
class SeriesBench:
    """What was measured.

    Attributes:
        windows: In each round.
        windows_a_call: Of the model alone.
        rounds: One after the other.
    """

    model: str
    kind: str
    window: int
    features: int
    sensors: int
    windows: int
    windows_a_call: int
    rounds: tuple[SeriesRound, ...]

    @property
    def speed_ratio(self) -> float:
        """The worker's windows/s over those of the model alone, the median of the rounds."""
        return statistics.median(r.raw.wall_s / r.worker.wall_s for r in self.rounds)

    @property
    def cpu_ratio(self) -> float:
        """CPU time of the model alone over the worker's, the median of the rounds."""
        return statistics.median(r.raw.cpu_s / r.worker.cpu_s for r in self.rounds)

    @property
    def windows_a_second(self) -> float:
        """Of the worker, the median of the rounds."""
        return 1 / statistics.median(r.worker.wall_s for r in self.rounds)


class _Lasting:
    """Leaves the models open for the next run (see `WindowServer`)."""

    def __init__(self, server: Serving) -> None:
        self._server = server

    def submit_windows(
        self, windows: Windows, keys: Sequence[bytes], models: Sequence[str | None] | None, task: str
    ) -> list[Scoring]:
        """See `WindowServer.submit_windows`."""
        return self._server.submit_windows(windows, keys, models, task)

    def close(self) -> None:
        """Frees nothing."""


class _RawSeries:
    """`session.run` on windows that are ready, with a caller a core."""

    def __init__(self, ref: ModelRef, settings: ModelSettings, windows: NDArray[np.float32]) -> None:
        self._model = open_model(ref, settings)
        self._callers = settings.threads or usable_cores()
        self._windows = windows
        self.size = _CALLS[0]

    def choose(self) -> None:
        """Finds the fastest number of windows a call."""
        sizes = [size for size in _CALLS if size * self._callers <= len(self._windows)] or [self.size]
        seconds: dict[int, float] = {}
        for size in sizes * 2:
            self.size = size
            seconds[size] = min(self.run().wall_s, seconds.get(size, float("inf")))
        self.size = min(seconds, key=seconds.__getitem__)

    def run(self) -> Usage:
        """The cost of one window."""
        pieces = [self._windows[i : i + self.size] for i in range(0, len(self._windows), self.size)]
        with ThreadPoolExecutor(self._callers) as pool:
            # Threads start here, not in the measurement.
            list(pool.map(time.sleep, [0.01] * self._callers))
            watch = Stopwatch()
            list(pool.map(self._model.run, pieces))
            return watch.read().per_frame(len(self._windows))

    def close(self) -> None:
        """Frees the model."""
        self._model.close()


def bench_series(
    settings: Settings,
    ref: ModelRef,
    *,
    sensors: int,
    windows: int,
    rounds: int,
    on_round: Callable[[SeriesRound], None] = lambda _: None,
) -> tuple[SeriesBench, SeriesSpec]:
    """Measures a worker and its model in turn, a window for each reading.

    Args:
        settings: The cluster, with a prefix of the bench's own, and the model's settings.
        ref: The model.
        sensors: How many readings are of.
        windows: In each round, about.
        rounds: How many times.
        on_round: Told of each round when it is over.

    Returns:
        What was measured, and what the model was trained with.

    Raises:
        ModelError: The model cannot be served.
        InferenceFailed: Not every window had an event.
        StreamError: The cluster fails.
    """
    metrics = Metrics()
    kind = _KINDS[ref.manifest.task]
    if kind is ANOMALY:  # made-up readings shall look as most do
        settings = settings.model_copy(update={"model": settings.model.model_copy(update={"threshold": NEVER_PASSED})})
    with ExitStack() as resources, looks_rarely(), short_turns():
        serving = serve_one(ref, settings.model, metrics, task=kind.task)
        resources.callback(serving.close)
        spec = serving.series_spec(f"{ref.name}@{ref.version}", kind.task)
        feed = SeriesFeed(spec, sensors, max(1, windows // sensors), int(time.time() * 1000))
        create_topics(settings.kafka)
        feed.publish(settings.kafka)
        raw = _RawSeries(ref, settings.model, feed.ready(feed.sensors * feed.windows))
        resources.callback(raw.close)
        raw.choose()
        _work(settings, kind, serving, feed, metrics)
        done: list[SeriesRound] = []
        before = raw.run()
        for _ in range(rounds):
            worker = _work(settings, kind, serving, feed, metrics)
            after = raw.run()
            mean = Usage((before.cpu_s + after.cpu_s) / 2, (before.wall_s + after.wall_s) / 2)
            done.append(SeriesRound(mean, worker))
            before = after
            on_round(done[-1])
    report = SeriesBench(
        model=ref.name,
        kind=spec.kind or kind.task,
        window=spec.window,
        features=len(spec.features),
        sensors=feed.sensors,
        windows=feed.sensors * feed.windows,
        windows_a_call=raw.size,
        rounds=tuple(done),
    )
    return report, spec


def _work(settings: Settings, kind: SensorWorker, serving: Serving, feed: SeriesFeed, metrics: Metrics) -> Usage:
    """Lets a fresh worker of a fresh group turn all readings into events; the cost of one window."""
    logger = get_logger("bench")
    settings = in_group(settings, f"bench-{uuid.uuid4().hex[:12]}")
    settings = settings.model_copy(
        update={"loop": settings.loop.model_copy(update={"max_batch": READINGS_BATCH, "batches_in_flight": 2})}
    )
    layout = WindowLayout(*feed.spec.layout)
    settings = with_batch_for(layout, settings, logger)
    expected, stop = feed.sensors * feed.windows, threading.Event()
    step = sensor_step(kind, settings, layout, server=_Lasting(serving), metrics=metrics, clock=SystemClock())
    topic = kind.findings.topic.name(settings.kafka.topic_prefix)
    written = {"events": 0, "others": 0}
    usages: list[Usage] = []
    loops: list[TimedLoop] = []

    def committed(messages: Sequence[Message]) -> None:
        written["events"] += sum(message.topic == topic for message in messages)
        written["others"] += sum(message.topic != topic for message in messages)
        if sum(written.values()) >= expected:
            if (watch := loops[0].watch) is not None:
                usages.append(watch.read())
            stop.set()

    with ExitStack() as resources:
        loop = make_loop(
            step,
            settings=settings,
            topics=[TELEMETRY.name(settings.kafka.topic_prefix)],
            metrics=metrics,
            logger=logger,
            resources=resources,
            kind=TimedLoop,
            watched=lambda sink: WatchedSink(sink, committed),
            state=step.state,
        )
        loops.append(cast("TimedLoop", loop))
        loop.run(stop)
    if not usages:
        raise StreamError("the worker stopped before all windows had an event")
    if written != {"events": expected, "others": 0}:
        raise InferenceFailed(f"of {expected} windows {written['events']} have an event; {written['others']} have none")
    return usages[0].per_frame(expected)
