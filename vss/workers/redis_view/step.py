"""`vss worker cache`: keeps the view of the result topics in Redis, as a step on the loop.

The topics are the truth and the view follows them: a result that was committed is written, one that was not is never
seen (`read_committed`), a repeat changes nothing, and while Redis is away the loop pauses, so that the view lags and
then catches up. Nothing that makes results waits for it.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from vss.clock import Clock
from vss.codecs.events import decode_event
from vss.codecs.headers import parse_time
from vss.config import Settings
from vss.errors import MalformedEvent, MissingKey, RecordTooLarge, VssError
from vss.metrics import Metrics
from vss.schemas.envelope import Outcome, OutcomeKind, Record
from vss.schemas.topics import Topic, result_topics
from vss.workers.loop.step import Pending, Result
from vss.workers.redis_view.writer import ViewEntry, ViewWriter

_TEXT_LIMIT_BYTES = 1024


def view_topics(prefix: str) -> list[str]:
    """The topics a view is made of."""
    return [topic.name(prefix) for topic in result_topics()]


class EntryMaker:
    """Checks results before they enter the view: what is no event of its topic's schema stays out.

    Args:
        topics: By full name.
    """

    def __init__(self, topics: Mapping[str, Topic]) -> None:
        self._topics = topics

    def entry(self, record: Record) -> tuple[ViewEntry, int | None]:
        """The entry of a record, and when its input was captured (nanoseconds since the epoch, None when unknown).

        Raises:
            MissingKey: The record has no camera or sensor id.
            RecordTooLarge: The value is larger than its topic's records may be.
            EmptyValue: There is no value.
            MalformedEvent: The value is no event of its topic.
        """
        topic = self._topics[record.topic]
        if not record.key or len(record.key) > _TEXT_LIMIT_BYTES:
            raise MissingKey(f"a result needs its camera or sensor id as the key, of at most {_TEXT_LIMIT_BYTES} bytes")
        if len(record.value or b"") > topic.max_message_bytes:
            raise RecordTooLarge(f"the result has {len(record.value or b'')} bytes, limit {topic.max_message_bytes}")
        assert topic.payload is not None  # noqa: S101 - result topics hold JSON
        event: Any = decode_event(topic.payload, record.value)
        event_id: str = event.id
        captured_at: str | None = getattr(event, "captured_at", None)
        if not 0 < len(event_id) <= _TEXT_LIMIT_BYTES:
            raise MalformedEvent(f"id: has {len(event_id)} characters, not 1 to {_TEXT_LIMIT_BYTES}")
        try:
            key = record.key.decode()
            captured_ns = parse_time(captured_at) if captured_at is not None else None
        except ValueError as error:
            raise MalformedEvent(f"key or captured_at: {error}") from error
        return ViewEntry(record, event_id, key), captured_ns


class CacheStep:
    """Takes each result into the view (see `vss.workers.loop.step.Step`).

    Args:
        writer: Where to.
        maker: What may enter.
    """

    name = "cache"

    def __init__(self, writer: ViewWriter, maker: EntryMaker) -> None:
        self._writer = writer
        self._maker = maker

    def begin(self, batch: Sequence[Record]) -> Pending:
        """See `Step.begin`."""
        # The write waits for `results`: a batch must not find Redis away before an earlier one has paused for it, or
        # both would tell of the same outage.
        return _PendingWrites(self._writer, self._maker, batch)

    def close(self) -> None:
        """See `Step.close`."""
        self._writer.close()


class _PendingWrites:
    def __init__(self, writer: ViewWriter, maker: EntryMaker, batch: Sequence[Record]) -> None:
        self._writer = writer
        self._maker = maker
        self._batch = batch

    def results(self, timeout_s: float | None = None) -> list[Result]:
        # A write is over after the timeout of a Redis call, so there is nothing to leave unfinished.
        results: list[Result] = []
        entries: list[ViewEntry] = []
        places: list[int] = []
        for i, record in enumerate(self._batch):
            try:
                entry, captured_ns = self._maker.entry(record)
            except VssError as error:
                results.append(error)
            else:
                results.append(Outcome(OutcomeKind.VIEW, captured_ns=captured_ns))
                entries.append(entry)
                places.append(i)
        for i, failure in zip(places, self._write(entries), strict=True):
            if failure is not None:
                results[i] = failure
        return results

    def _write(self, entries: Sequence[ViewEntry]) -> Sequence[VssError | None]:
        try:
            return self._writer.write(entries)
        except VssError as error:
            # Not the whole batch's result: a malformed neighbour stays a dead letter.
            return [error] * len(entries)

    def again(self, indices: Sequence[int]) -> Pending:
        return _PendingWrites(self._writer, self._maker, [self._batch[i] for i in indices])

    def cancel(self) -> None:
        # Nothing was started.
        pass


def entry_maker(prefix: str) -> EntryMaker:
    """What checks the results of a fleet.

    Args:
        prefix: `kafka.topic_prefix`.
    """
    return EntryMaker({topic.name(prefix): topic for topic in result_topics()})


def cache_step(settings: Settings, *, metrics: Metrics, clock: Clock) -> CacheStep:
    """The step, with Redis known to answer.

    Raises:
        CacheUnavailable: Redis does not answer.
        ConfigError: The URL is none, or Redis refuses this user.
    """
    writer = ViewWriter(settings.redis, metrics=metrics, clock=clock)
    writer.check()
    return CacheStep(writer, entry_maker(settings.kafka.topic_prefix))
