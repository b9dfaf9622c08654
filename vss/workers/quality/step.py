"""The step that watches what sensors and cameras send."""

from __future__ import annotations

import hashlib
import math
from collections.abc import Iterable, Sequence
from typing import Final

from vss.clock import Clock
from vss.codecs.events import encode_event
from vss.codecs.headers import decode_frame_header, event_headers, format_time
from vss.codecs.images import read_image_info
from vss.codecs.readings import ReadingLimits, decode_readings
from vss.config import Settings
from vss.errors import BadRecord, TooManySensors
from vss.logs import Logger
from vss.metrics import Metrics
from vss.schemas.envelope import Message, Outcome, OutcomeKind, Record, TopicPartition
from vss.schemas.events import SourceCoordinates
from vss.schemas.quality import QUALITY_TYPE, QualityEvent
from vss.schemas.topics import FRAMES, QUALITY
from vss.workers.loop.step import Done, Result, final
from vss.workers.quality.arrivals import Arrival
from vss.workers.quality.episodes import Change
from vss.workers.quality.pictures import CameraWatch, look_at
from vss.workers.quality.readings import SensorWatch
from vss.workers.quality.state import QualityState, Watch

NAME: Final = "quality"
_TAKEN: Final = Outcome(OutcomeKind.TAKEN)


class QualityStep:
    """Says when a source's input goes bad and when it is well again (see `vss.workers.loop.step.Step`).

    Args:
        settings: What is wrong, the topics and the limits.
        group: Consumer group, named in the events' `ce_source`.
        metrics: Where it is counted.
        clock: For the events' timestamps and for silence.
        logger: For what a person wants to know.

    Attributes:
        state: What it keeps by key.
    """

    name = NAME

    def __init__(self, settings: Settings, *, group: str, metrics: Metrics, clock: Clock, logger: Logger) -> None:
        self._settings = settings
        self._reading_limits = ReadingLimits.of(settings.limits)
        self._frames = FRAMES.name(settings.kafka.topic_prefix)
        self._topic = QUALITY.name(settings.kafka.topic_prefix)
        self._source = f"/groups/{group}"
        self._metrics = metrics
        self._clock = clock
        self.state = QualityState(
            settings.quality,
            max_rewind=settings.windows.max_rewind,
            new_watch=self._new_watch,
            rebuild_with=self._take,
            message=self._message,
            now_ms=lambda: clock.now_ns() // 1_000_000,
            logger=logger,
        )

    def begin(self, batch: Sequence[Record]) -> Done:
        """See `Step.begin`."""
        self.state.go_live({record.topic_partition for record in batch})
        results: list[Result] = []
        for record, found in zip(batch, self._take(batch), strict=True):
            if isinstance(found, Exception):
                results.append(found)
            elif found:
                key = record.key or b""
                messages = tuple(self._message(record.topic_partition, key, change) for change in found)
                results.append(Outcome(OutcomeKind.EVENT, messages))
            else:
                results.append(_TAKEN)
        self._metrics.quality_sources.set(self.state.sources())
        # What a record said about its source stands: it is not taken in again.
        return final(results)

    def close(self) -> None:
        """Nothing is held."""

    def _take(self, batch: Sequence[Record]) -> list[list[Change] | Exception]:
        """Takes records into what is known of their sources; one list of changes a record, or why there is none."""
        places = [i for i, record in enumerate(batch) if record.topic_partition.topic != self._frames]
        readings = decode_readings(
            [batch[i].value for i in places],
            [batch[i].key for i in places],
            [batch[i].timestamp_ms for i in places],
            self._reading_limits,
        )
        by_place = {place: i for i, place in enumerate(places)}
        found: list[list[Change] | Exception] = []
        for place, record in enumerate(batch):
            try:
                if (i := by_place.get(place)) is None:
                    found.append(self._frame(record))
                elif i in readings.errors:
                    found.append(readings.errors[i])
                else:
                    values = {f: float(v) for f, v in readings.values[i].items() if v is not None and math.isfinite(v)}
                    found.append(self._reading(record, int(readings.ts_ms[i]), values))
            except BadRecord as error:
                found.append(error)
        return found

    def _reading(self, record: Record, ts_ms: int, values: dict[str, float]) -> list[Change]:
        watch = self._watch(record)
        assert isinstance(watch, SensorWatch)  # noqa: S101 - by the topic
        arrival = Arrival(record.offset, ts_ms, record.timestamp_ms or ts_ms)
        return [*self.state.spoke(record, watch), *watch.look(arrival, values)]

    def _frame(self, record: Record) -> list[Change]:
        header = decode_frame_header(record)
        look = look_at(record.value or b"", read_image_info(record.value, header, self._settings.limits))
        watch = self._watch(record)
        assert isinstance(watch, CameraWatch)  # noqa: S101 - by the topic
        ts_ms = header.captured_ns // 1_000_000 if header.captured_ns is not None else record.timestamp_ms
        arrival = Arrival(record.offset, ts_ms, record.timestamp_ms or ts_ms)
        return [*self.state.spoke(record, watch), *watch.look(arrival, look)]

    def _watch(self, record: Record) -> Watch:
        if not self.state.knows(record) and self.state.sources() >= self._settings.windows.max_keys:
            raise TooManySensors(
                f"{self._settings.windows.max_keys} sources are watched, as many as windows.max_keys allows",
                fix="raise windows.max_keys, or start another worker",
            )
        return self.state.watch(record)

    def _new_watch(self, topic: str, key: bytes) -> Watch:
        if topic == self._frames:
            return CameraWatch(self._settings.quality)
        return SensorWatch(key.decode(), self._settings.quality)

    def _message(self, partition: TopicPartition, key: bytes, change: Change) -> Message:
        now_ns = self._clock.now_ns()
        camera = partition.topic == self._frames
        source_id = key.decode()
        event = QualityEvent(
            id=_id(partition, key, change),
            source_id=source_id,
            source_kind="camera" if camera else "sensor",
            problem=change.about.problem,
            state="start" if change.starts else "end",
            feature=change.about.feature or None,
            since=format_time(change.since.ts_ms * 1_000_000),
            until=None if change.starts else format_time(change.at.ts_ms * 1_000_000),
            duration_s=None if change.starts else max(0, change.at.ts_ms - change.since.ts_ms) / 1000,
            detail=change.detail,
            timestamp=format_time(now_ns),
            source=SourceCoordinates(partition.topic, partition.partition, change.at.offset),
        )
        self._metrics.quality_events.labels(event.source_kind, event.problem, event.state).inc()
        headers = event_headers(
            id=event.id, type=QUALITY_TYPE, source=self._source, time=event.timestamp, traceparent=None
        )
        return Message(self._topic, key, encode_event(event), headers)


def _id(partition: TopicPartition, key: bytes, change: Change) -> str:
    """32 hexadecimal digits, BLAKE2b: the start and the end of a problem have one id each, whoever tells."""
    parts: Iterable[object] = (
        *(partition.topic, partition.partition, change.since.offset),
        *(change.about.problem, change.about.feature, change.starts),
    )
    text = key + b"\x1f" + "\x1f".join(map(str, parts)).encode()
    return hashlib.blake2b(text, digest_size=16).hexdigest()
