"""A stretch of a topic, by time or by offset, and how a limit is shared out among its partitions."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

from vss.codecs.headers import parse_time
from vss.errors import ConfigError
from vss.schemas.envelope import TopicPartition
from vss.streams.log_reader import LogReader, Span

_AGO = re.compile(r"-(\d+(?:\.\d+)?)(ms|s|m|h|d)", re.ASCII)
_UNITS_MS: Final = {"ms": 1, "s": 1_000, "m": 60_000, "h": 3_600_000, "d": 86_400_000}
_OFFSET = re.compile(r"offset:(\d{1,18})", re.ASCII)
_EPOCH_MS = re.compile(r"\d{12,15}", re.ASCII)


@dataclass(frozen=True, slots=True)
class Moment:
    """A place in a log: a time, or an offset of each partition. One of the two is None.

    Attributes:
        time_ms: Milliseconds since the epoch, by the records' own timestamps.
        offset: The same in every partition.
    """

    time_ms: int | None = None
    offset: int | None = None


def parse_moment(text: str, *, now_ns: int) -> Moment:
    """Reads `2026-03-01T12:00:00Z`, `-10m` (ago), `1772366400000` (epoch milliseconds) or `offset:1200`.

    Args:
        text: What the user wrote.
        now_ns: Nanoseconds since the epoch.

    Raises:
        ConfigError: It is none of that.
    """
    if (ago := _AGO.fullmatch(text)) is not None:
        return Moment(time_ms=max(0, now_ns // 1_000_000 - round(float(ago[1]) * _UNITS_MS[ago[2]])))
    if (offset := _OFFSET.fullmatch(text)) is not None:
        return Moment(offset=int(offset[1]))
    if _EPOCH_MS.fullmatch(text):
        return Moment(time_ms=int(text))
    try:
        return Moment(time_ms=parse_time(text) // 1_000_000)
    except (ValueError, OverflowError) as error:
        raise ConfigError(
            f"{text!r} is no time",
            fix="write 2026-03-01T12:00:00Z, -10m (s, m, h or d ago), epoch milliseconds, or offset:1200",
        ) from error


def spans_between(
    reader: LogReader, topic: str, start: Moment | None, end: Moment | None
) -> dict[TopicPartition, Span]:
    """The part of each partition that lies in a range; partitions without any are left out.

    Args:
        reader: Of the cluster.
        topic: Full name.
        start: The first that counts; None is the oldest there is.
        end: The first that no longer counts; None is the end as it is now.

    Raises:
        BrokerUnavailable: No broker answers.
        ConfigError: The topic does not exist, or this user may not read it.
    """
    spans = reader.spans([topic])
    lows = _offsets(reader, spans, start, {p: span.low for p, span in spans.items()})
    ends = _offsets(reader, spans, end, {p: span.end for p, span in spans.items()})
    within = {p: Span(max(span.low, lows[p]), min(span.end, ends[p])) for p, span in spans.items()}
    return {p: span for p, span in within.items() if span.low < span.end}


def _offsets(
    reader: LogReader, spans: Mapping[TopicPartition, Span], moment: Moment | None, otherwise: dict[TopicPartition, int]
) -> dict[TopicPartition, int]:
    if moment is None:
        return otherwise
    if moment.offset is not None:
        return dict.fromkeys(spans, moment.offset)
    found = reader.offsets_at(spans, moment.time_ms or 0)
    return {p: offset if (offset := found.get(p)) is not None else span.end for p, span in spans.items()}


def share_out(limit: int, sizes: Mapping[TopicPartition, int]) -> dict[TopicPartition, int]:
    """How many records to take of each partition: alike as far as they have them, `limit` in all.

    Args:
        limit: Of all together.
        sizes: What each has.
    """
    quotas: dict[TopicPartition, int] = {}
    left = limit
    # The smallest first: what it cannot give, the larger ones share.
    for place, partition in enumerate(sorted(sizes, key=lambda p: (sizes[p], p))):
        quotas[partition] = min(sizes[partition], left // (len(sizes) - place))
        left -= quotas[partition]
    return quotas
