"""From a span that is over to its events."""

from __future__ import annotations

import hashlib
from typing import Literal

from vss.codecs.headers import format_time
from vss.schemas.aggregates import ALL_CLASSES, AggregateEvent
from vss.schemas.events import SourceCoordinates
from vss.streams.aggregates.tumbling import Span, Stats

Kind = Literal["sensor", "camera"]


def span_events(
    span: Span, *, source_id: str, kind: Kind, topic: str, partition: int, timestamp_ns: int
) -> list[AggregateEvent]:
    """The events of a span, one a name, sorted.

    Args:
        span: What is over.
        source_id: The sensor or camera.
        kind: What that is; a camera's frames without an object of a class count as 0 of it.
        topic: The source topic.
        partition: Of the source topic.
        timestamp_ns: Now, nanoseconds since the epoch.
    """
    made = []
    for name, stats in sorted(span.stats.items()):
        if kind == "camera":
            stats = _with_empty_frames(stats, span)
        made.append(
            AggregateEvent(
                id=_id(topic, source_id, name, span),
                source_id=source_id,
                kind=kind,
                name=name,
                start=format_time(span.start_ms * 1_000_000),
                end=format_time(span.end_ms * 1_000_000),
                width_s=span.width_ms // 1000,
                count=stats.count,
                sum=stats.sum,
                min=stats.min,
                mean=stats.sum / stats.count,
                max=stats.max,
                last=stats.last,
                timestamp=format_time(timestamp_ns),
                source=SourceCoordinates(topic, partition, span.newest_offset),
            )
        )
    return made


def _with_empty_frames(stats: Stats, span: Span) -> Stats:
    empty = span.records - stats.count
    newest_ms = span.stats[ALL_CLASSES].last_ms
    return Stats(
        count=span.records,
        sum=stats.sum,
        min=0.0 if empty else stats.min,
        max=stats.max,
        last=stats.last if stats.last_ms == newest_ms else 0.0,
        last_ms=newest_ms,
    )


def _id(topic: str, source_id: str, name: str, span: Span) -> str:
    """32 hexadecimal digits, BLAKE2b: a span that is told of twice, after a crash, has one id."""
    parts = (topic, source_id, name, str(span.width_ms), str(span.start_ms))
    return hashlib.blake2b("\x1f".join(parts).encode(), digest_size=16).hexdigest()
