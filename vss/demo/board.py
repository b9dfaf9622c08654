"""Everything the demo shows, gathered: what was seen in the topics, what workers count, how fresh the view is."""

from __future__ import annotations

import math
from collections import deque
from collections.abc import Sequence
from dataclasses import dataclass

from vss.clock import Clock
from vss.codecs.headers import parse_time
from vss.demo.children import Child
from vss.demo.scrape import scrape, total
from vss.demo.watcher import Seen, Watcher
from vss.errors import BadRecord, CacheUnavailable
from vss.workers.redis_view.reader import ResultView

_RECENT_S = 5.0
_HISTORY = 40


@dataclass(frozen=True, slots=True)
class WorkerState:
    """One worker that detects.

    Attributes:
        frames: With an outcome, since it started.
        fps: Outcomes a second over the last few seconds.
        model_ms: Mean time of a model's call over the last few seconds; None when there was none.
    """

    name: str
    pid: int | None
    alive: bool
    partitions: int
    frames: int
    fps: float
    model_ms: float | None


@dataclass(frozen=True, slots=True)
class Snapshot:
    """The demo at a moment.

    Attributes:
        phase: What it is doing.
        elapsed_s: Since the cameras started.
        limit_s: When they will stop.
        view_ages_ms: For each camera, how long ago the frame of its latest result in Redis was captured; None without.
        history_ms: Median latency of each of the last moments, oldest first.
    """

    phase: str
    elapsed_s: float
    limit_s: float
    seen: Seen
    workers: tuple[WorkerState, ...]
    view_ages_ms: tuple[float | None, ...]
    history_ms: tuple[float, ...]

    @property
    def waiting(self) -> int:
        """Frames in Kafka that have no outcome yet."""
        return max(0, self.seen.frames - self.seen.events - self.seen.shed - self.seen.dead_letters)


def percentile(values: Sequence[float], share: float) -> float | None:
    """The smallest value that at least this share (0..1) of the values do not exceed; None when there are none."""
    if not values:
        return None
    return sorted(values)[max(0, math.ceil(share * len(values)) - 1)]


class Board:
    """Gathers snapshots. For one thread.

    Args:
        watcher: Of the topics.
        workers: That detect.
        view: What the cache worker writes.
        clock: For rates and ages.
    """

    def __init__(self, watcher: Watcher, workers: Sequence[Child], view: ResultView, clock: Clock) -> None:
        self._watcher = watcher
        self._view = view
        self._clock = clock
        self._workers = [_WorkerMeter(child) for child in workers]
        self._history: deque[float] = deque(maxlen=_HISTORY)

    def look(self, phase: str, elapsed_s: float, limit_s: float) -> Snapshot:
        """The demo now."""
        seen = self._watcher.seen()
        if (median := percentile(seen.latencies_ms[-60:], 0.5)) is not None:
            self._history.append(median)
        now_s = self._clock.monotonic()
        return Snapshot(
            phase=phase,
            elapsed_s=elapsed_s,
            limit_s=limit_s,
            seen=seen,
            workers=tuple(worker.read(now_s) for worker in self._workers),
            view_ages_ms=tuple(self._age_ms(camera.name) for camera in seen.cameras),
            history_ms=tuple(self._history),
        )

    def _age_ms(self, camera: str) -> float | None:
        try:
            latest = self._view.latest(camera)
            captured_at = latest.event().captured_at if latest is not None else None
        except (CacheUnavailable, BadRecord):
            return None
        return (self._clock.now_ns() - parse_time(captured_at)) / 1e6 if captured_at is not None else None


class _WorkerMeter:
    """Turns one worker's counters into rates."""

    def __init__(self, child: Child) -> None:
        self._child = child
        self._points: deque[tuple[float, int, float, float]] = deque()
        self._partitions = 0

    def read(self, now_s: float) -> WorkerState:
        alive = self._child.alive()
        port = self._child.find_metrics_port()
        samples = scrape(port) if alive and port is not None else {}
        if samples:
            self._partitions = int(total(samples, "vss_assigned_partitions"))
            frames = int(total(samples, "vss_outcomes_total", step="detect"))
            seconds = total(samples, "inference_duration_seconds_sum")
            calls = total(samples, "inference_duration_seconds_count")
            self._points.append((now_s, frames, seconds, calls))
        while len(self._points) > 2 and self._points[0][0] < now_s - _RECENT_S:
            self._points.popleft()
        first, last = (self._points[0], self._points[-1]) if self._points else ((0.0, 0, 0.0, 0.0),) * 2
        span_s, calls = last[0] - first[0], last[3] - first[3]
        return WorkerState(
            name=self._child.name,
            pid=self._child.pid,
            alive=alive,
            partitions=self._partitions if alive else 0,
            frames=last[1],
            fps=(last[1] - first[1]) / span_s if alive and span_s > 0 else 0.0,
            model_ms=(last[2] - first[2]) / calls * 1000 if calls > 0 else None,
        )
