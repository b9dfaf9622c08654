"""Watches the topics as any consumer would: what was published, what came of it, and how long that took."""

from __future__ import annotations

import threading
from collections import Counter, deque
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Final

from vss.clock import Clock
from vss.codecs.events import decode_event
from vss.codecs.headers import parse_time
from vss.config import KafkaSettings
from vss.demo.pump.watch import PUMP, PumpState, PumpTally
from vss.errors import BadRecord, VssError
from vss.logs import Logger
from vss.schemas.envelope import Record
from vss.schemas.events import DetectionEvent
from vss.schemas.topics import ANOMALIES, DEAD_LETTERS, DETECTIONS, FRAMES, SHED, TELEMETRY
from vss.streams.log_reader import LogReader

_RECENT_S: Final = 5.0
# Of all latencies of a run, evenly thinned out beyond this.
_MOST_LATENCIES: Final = 100_000
_WATCHED: Final = (FRAMES, DETECTIONS, SHED, DEAD_LETTERS, TELEMETRY, ANOMALIES)
_PUMP_KEY: Final = PUMP.encode()


@dataclass(slots=True)
class CameraTally:
    """One camera.

    Attributes:
        frames: In the frames topic.
        events: In the detections topic.
        last: The newest event.
        recent: When its last frames came, seconds on the monotonic clock.
    """

    frames: int = 0
    events: int = 0
    last: DetectionEvent | None = None
    recent: deque[float] = field(default_factory=deque)


@dataclass(frozen=True, slots=True)
class CameraState:
    """One camera at a moment.

    Attributes:
        fps: Frames a second over the last few seconds.
        objects: Of the newest event, by class.
    """

    name: str
    frames: int
    events: int
    fps: float
    objects: tuple[tuple[str, int], ...]


@dataclass(frozen=True, slots=True)
class Seen:
    """Everything at a moment.

    Attributes:
        latencies_ms: Of the last few seconds, from capture until a reader had the event, oldest first.
        shed: Frames that were left out.
        dead_letters: Frames that nothing could be made of.
        objects: Found since the start, by class.
        pump: What there is to see of the pump.
    """

    cameras: tuple[CameraState, ...]
    frames: int
    events: int
    shed: int
    dead_letters: int
    latencies_ms: tuple[float, ...]
    objects: tuple[tuple[str, int], ...]
    pump: PumpState


class Watcher:
    """Follows the topics on a thread. A context manager.

    A latency runs from a frame's `ce_time` until this reader, which sees only what is committed, has its event.

    Args:
        settings: The cluster.
        cameras: Their ids.
        clock: For ages.
        logger: For what the client says.
    """

    def __init__(self, settings: KafkaSettings, cameras: Sequence[str], *, clock: Clock, logger: Logger) -> None:
        self._settings = settings
        self._clock = clock
        self._logger = logger
        self._lock = threading.Lock()
        self._stop = threading.Event()
        self._cameras = {camera: CameraTally() for camera in cameras}
        self._pump = PumpTally()
        self._shed = 0
        self._dead_letters = 0
        self._latencies_ms: list[float] = []
        self._every, self._skipped = 1, 0
        self._recent: deque[tuple[float, float]] = deque()
        self._objects: Counter[str] = Counter()
        self._counted_from_ns = 0
        self._error: VssError | None = None
        self._thread = threading.Thread(target=self._run, name="watcher", daemon=True)

    def __enter__(self) -> Watcher:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._stop.set()
        self._thread.join(10.0)

    def seen(self) -> Seen:
        """What there was until now.

        Raises:
            VssError: The topics can no longer be read.
        """
        if self._error is not None:
            raise self._error
        now_s = self._clock.monotonic()
        with self._lock:
            while self._recent and self._recent[0][0] < now_s - _RECENT_S:
                self._recent.popleft()
            return Seen(
                cameras=tuple(self._state(name, tally, now_s) for name, tally in self._cameras.items()),
                frames=sum(tally.frames for tally in self._cameras.values()),
                events=sum(tally.events for tally in self._cameras.values()),
                shed=self._shed,
                dead_letters=self._dead_letters,
                latencies_ms=tuple(latency for _, latency in self._recent),
                objects=tuple(self._objects.most_common()),
                pump=self._pump.state(),
            )

    def begin(self) -> None:
        """Latencies of frames captured before now do not count: the processes were still starting."""
        with self._lock:
            self._counted_from_ns = self._clock.now_ns()

    def all_latencies_ms(self) -> list[float]:
        """Of all that counts, evenly thinned out when it was long."""
        with self._lock:
            return list(self._latencies_ms)

    @staticmethod
    def _state(name: str, tally: CameraTally, now_s: float) -> CameraState:
        while tally.recent and tally.recent[0] < now_s - _RECENT_S:
            tally.recent.popleft()
        span_s = tally.recent[-1] - tally.recent[0] if len(tally.recent) > 1 else 0.0
        # A camera that fell silent a moment ago still has frames in the window.
        silent = not tally.recent or now_s - tally.recent[-1] > 1.5
        fps = 0.0 if silent or span_s <= 0 else (len(tally.recent) - 1) / span_s
        found = Counter(one.class_ for one in tally.last.objects) if tally.last is not None else Counter()
        return CameraState(name, tally.frames, tally.events, fps, tuple(found.most_common()))

    def _run(self) -> None:
        prefix = self._settings.topic_prefix
        topics = {topic.name(prefix): topic for topic in _WATCHED}
        try:
            with LogReader(self._settings, logger=self._logger, clock=self._clock) as reader:
                starts = {partition: span.end for partition, span in reader.spans(list(topics)).items()}
                for records in reader.follow(starts, timeout_s=0.1):
                    self._take(records)
                    if self._stop.is_set():
                        return
        except VssError as error:
            self._error = error

    def _take(self, records: Sequence[Record]) -> None:
        prefix = self._settings.topic_prefix
        now_s, now_ns = self._clock.monotonic(), self._clock.now_ns()
        with self._lock:
            for record in records:
                short = record.topic.removeprefix(prefix)
                if record.key == _PUMP_KEY:
                    self._take_of_pump(short, record)
                elif short == SHED.short:
                    self._shed += 1
                elif short == DEAD_LETTERS.short:
                    self._dead_letters += 1
                elif (tally := self._cameras.get((record.key or b"").decode("utf-8", "replace"))) is None:
                    continue
                elif short == FRAMES.short:
                    tally.frames += 1
                    tally.recent.append(now_s)
                else:
                    self._take_event(tally, record, now_s, now_ns)

    def _take_of_pump(self, short: str, record: Record) -> None:
        if short == TELEMETRY.short:
            self._pump.reading(record)
        elif short == ANOMALIES.short:
            self._pump.event(record)

    def _take_event(self, tally: CameraTally, record: Record, now_s: float, now_ns: int) -> None:
        try:
            event = decode_event(DetectionEvent, record.value)
        except BadRecord:
            return
        tally.events += 1
        tally.last = event
        self._objects.update(one.class_ for one in event.objects)
        if event.captured_at is None:
            return
        captured_ns = parse_time(event.captured_at)
        latency_ms = max(0.0, (now_ns - captured_ns) / 1e6)
        self._recent.append((now_s, latency_ms))
        if captured_ns < self._counted_from_ns:
            return
        self._skipped += 1
        if self._skipped >= self._every:
            self._skipped = 0
            self._latencies_ms.append(latency_ms)
            if len(self._latencies_ms) > _MOST_LATENCIES:
                self._latencies_ms = self._latencies_ms[::2]
                self._every *= 2
