"""Takes the records of one kind of source into its table, and tells of the spans that are over."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any, Final

from vss.clock import Clock
from vss.codecs.events import encode_event
from vss.codecs.headers import event_headers, format_time
from vss.config import KafkaSettings
from vss.errors import BadRecord, ConfigError, TooManySensors
from vss.logs import Logger
from vss.metrics import Metrics
from vss.schemas.aggregates import AGGREGATE_TYPE
from vss.schemas.envelope import Message, Record
from vss.schemas.topics import AGGREGATES, DEAD_LETTERS
from vss.streams.aggregates.events import span_events
from vss.streams.aggregates.inputs import Measure
from vss.streams.aggregates.tumbling import Span, Spans, Tumbling
from vss.streams.dead_letters import dead_letter

STEP: Final = "aggregate"
_SWEEP_EVERY_MS: Final = 1_000


@dataclass(slots=True)
class _Partition:
    """What is under way in one partition of a source topic.

    Attributes:
        newest_ms: The newest time of any source in it.
        swept_ms: That time when silent sources were last looked for.
        ends_ms: By key, when the first of its open spans ends.
    """

    newest_ms: int = 0
    swept_ms: int = 0
    ends_ms: dict[bytes, int] = field(default_factory=dict)


class Aggregator:
    """Takes the records of one kind of source into its table.

    Args:
        measure: What the records say.
        spans: Which spans of time.
        table: Of faust, from key to `Tumbling`; a dict will do in tests.
        write: Writes messages, and returns when they are acknowledged.
        settings: The topics' prefix.
        group: Consumer group, named in events and dead letters.
        silence_ms: A source that is silent for this long, by the time of its neighbours in the partition, has its open
            spans closed.
        max_keys: Sources that the table may hold; a further one is a dead letter.
        metrics: Where it is counted.
        clock: For the events' timestamps.
        logger: Told of dead letters.
    """

    def __init__(
        self,
        measure: Measure,
        *,
        spans: Spans,
        table: Any,
        write: Callable[[Sequence[Message]], Any],
        settings: KafkaSettings,
        group: str,
        silence_ms: int,
        max_keys: int,
        metrics: Metrics,
        clock: Clock,
        logger: Logger,
    ) -> None:
        self._measure = measure
        self._spans = spans
        self._table = table
        self._write = write
        self._prefix = settings.topic_prefix
        self._group = group
        self._silence_ms = silence_ms
        self._max_keys = max_keys
        self._metrics = metrics
        self._clock = clock
        self._logger = logger
        self._partitions: dict[int, _Partition] = {}

    def restored(self) -> None:
        """The table is as its changelog says: finds out which spans are under way."""
        self._partitions.clear()
        for key, text in self._table.items():
            state = _state(text)
            self._note(key, state)

    async def take(self, record: Record) -> None:
        """Takes one record in."""
        key = record.key or b""
        text = self._table.get(key)
        state = _state(text) if text is not None else Tumbling()
        if state.includes(record.partition, record.offset):
            self._metrics.aggregate_records.labels(self._measure.kind, "known").inc()
            return
        try:
            measured = self._measure.read(record)
            if text is None and len(self._table) >= self._max_keys:
                raise TooManySensors(
                    f"{self._max_keys} sources have aggregates, as many as windows.max_keys allows",
                    fix="raise windows.max_keys, or start another worker",
                )
        except BadRecord as error:
            await self._refuse(record, error)
            return
        added = state.add(self._spans, record.partition, record.offset, measured.ts_ms, measured.values)
        await self._tell(key, state, state.closed(self._spans))
        self._table[key] = state.to_bytes()
        self._note(key, state)
        result = "late" if added.late else "partial" if added.left_out else "taken"
        self._metrics.aggregate_records.labels(self._measure.kind, result).inc()
        await self._close_silent(record.partition)

    async def _close_silent(self, partition: int) -> None:
        """Closes the spans of sources that have fallen silent; only in this partition, as faust allows."""
        place = self._partitions[partition]
        if place.newest_ms - place.swept_ms < _SWEEP_EVERY_MS:
            return
        place.swept_ms = place.newest_ms
        now_ms = place.newest_ms - self._silence_ms
        for key in [key for key, end_ms in place.ends_ms.items() if end_ms <= now_ms]:
            state = _state(self._table[key])
            await self._tell(key, state, state.expired(self._spans, now_ms))
            self._table[key] = state.to_bytes()
            self._note(key, state)

    def _note(self, key: bytes, state: Tumbling) -> None:
        place = self._partitions.setdefault(state.partition, _Partition())
        place.newest_ms = max(place.newest_ms, state.newest_ms)
        if state.open:
            place.ends_ms[key] = min(span.end_ms for span in state.open.values())
        else:
            place.ends_ms.pop(key, None)

    async def _tell(self, key: bytes, state: Tumbling, over: Sequence[Span]) -> None:
        if not over:
            return
        now_ns = self._clock.now_ns()
        messages = []
        for span in over:
            for event in span_events(
                span,
                source_id=key.decode(),
                kind=self._measure.kind,
                topic=self._measure.topic.name(self._prefix),
                partition=state.partition,
                timestamp_ns=now_ns,
            ):
                headers = event_headers(
                    id=event.id,
                    type=AGGREGATE_TYPE,
                    source=f"/groups/{self._group}",
                    time=format_time(now_ns),
                    traceparent=None,
                )
                messages.append(Message(AGGREGATES.name(self._prefix), key, encode_event(event), headers))
        await self._write(messages)
        self._metrics.aggregates.labels(self._measure.kind).inc(len(messages))

    async def _refuse(self, record: Record, error: BadRecord) -> None:
        self._metrics.dead_letters.labels(STEP, type(error).__name__).inc()
        self._metrics.aggregate_records.labels(self._measure.kind, "dead_letter").inc()
        self._logger.warning(
            "dead letter",
            topic=record.topic,
            partition=record.partition,
            offset=record.offset,
            error=type(error).__name__,
            reason=str(error)[:200],
        )
        topic = DEAD_LETTERS.name(self._prefix)
        await self._write([dead_letter(record, error, topic=topic, group=self._group, stage=STEP)])


def _state(text: bytes) -> Tumbling:
    try:
        return Tumbling.from_bytes(text)
    except ValueError as error:
        raise ConfigError(
            f"the aggregates' table cannot be read: {error}", fix="start a new --group, which counts from the beginning"
        ) from error
