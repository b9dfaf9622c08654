"""Tumbling windows of one sensor or camera: a value that is kept in a table, as JSON.

A record belongs to the span `[start, start + width)` whose start is the largest multiple of the width at or before its
time. A span closes when the source's own newest time, less the grace, has passed its end; what comes for it later is
late. All of it follows from the source's records in their order, so reading a record once more changes nothing: the
state remembers the offset that it includes.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field

import orjson

from vss.errors import ConfigError

MAX_STATE_BYTES = 900_000
"""Of one source in the table, about: features or classes that do not fit in are left out. Kafka's records hold 1 MB."""
_ROW_BYTES = 128  # of one name beside the name itself, at most: six numbers, of which four have 24 characters


@dataclass(slots=True)
class Stats:
    """Of one feature or class in one span."""

    count: int = 0
    sum: float = 0.0
    min: float = float("inf")
    max: float = float("-inf")
    last: float = 0.0
    last_ms: int = -(1 << 62)

    def add(self, value: float, ts_ms: int) -> None:
        """Takes a value in."""
        self.count += 1
        self.sum += value
        self.min = min(self.min, value)
        self.max = max(self.max, value)
        if ts_ms >= self.last_ms:
            self.last, self.last_ms = value, ts_ms


@dataclass(slots=True)
class Span:
    """One span of time under way.

    Attributes:
        records: How many it includes.
        newest_offset: Of the newest of them by their place in the log.
        stats: By name.
    """

    start_ms: int
    width_ms: int
    records: int = 0
    newest_offset: int = -1
    stats: dict[str, Stats] = field(default_factory=dict)

    @property
    def end_ms(self) -> int:
        """Exclusive."""
        return self.start_ms + self.width_ms


@dataclass(frozen=True, slots=True)
class Spans:
    """Which spans there are.

    Attributes:
        widths_ms: Their widths.
        grace_ms: How long a span waits for records that come out of order, in the source's own time.

    Raises:
        ConfigError: A width is not a positive number, or stands there twice.
    """

    widths_ms: tuple[int, ...]
    grace_ms: int

    def __post_init__(self) -> None:
        if not self.widths_ms or min(self.widths_ms) <= 0 or len(set(self.widths_ms)) < len(self.widths_ms):
            raise ConfigError("the widths of aggregates must be different and above 0", fix="such as --every 10,60")


@dataclass(frozen=True, slots=True)
class Added:
    """What became of a record.

    Attributes:
        late: In how many spans it was too late.
        left_out: How many values were left out, for the source has more names than fit.
    """

    late: int
    left_out: int


@dataclass(slots=True)
class Tumbling:
    """The spans of one source that are not closed yet.

    Attributes:
        partition: Of the source topic, that the offset is of.
        offset: Of the newest record that is included; what lies at or below it changes nothing.
        newest_ms: The newest time seen.
        open: The spans, by width and start.
    """

    partition: int = -1
    offset: int = -1
    newest_ms: int = -(1 << 62)
    open: dict[tuple[int, int], Span] = field(default_factory=dict)

    def includes(self, partition: int, offset: int) -> bool:
        """Whether a record was taken in before."""
        return partition == self.partition and offset <= self.offset

    def add(self, spans: Spans, partition: int, offset: int, ts_ms: int, values: Mapping[str, float]) -> Added:
        """Takes a record in. Call `closed` next.

        Args:
            spans: Which there are.
            partition: Of the record.
            offset: Of the record; not included yet.
            ts_ms: Its own time, milliseconds since the epoch.
            values: Finite numbers by name; may be empty.
        """
        late = left_out = 0
        for width_ms in spans.widths_ms:
            start_ms = ts_ms - ts_ms % width_ms
            if start_ms + width_ms <= self.newest_ms - spans.grace_ms:
                late += 1
                continue
            span = self.open.setdefault((width_ms, start_ms), Span(start_ms, width_ms))
            span.records += 1
            span.newest_offset = max(span.newest_offset, offset)
            left_out += self._make_room(span, values)
            for name, value in values.items():
                if (stats := span.stats.get(name)) is not None:
                    stats.add(value, ts_ms)
        self.partition, self.offset = partition, offset
        self.newest_ms = max(self.newest_ms, ts_ms)
        return Added(late, left_out)

    def _make_room(self, span: Span, names: Iterable[str]) -> int:
        """Begins the stats of new names; returns of how many it does not."""
        new = [name for name in names if name not in span.stats]
        if not new:
            return 0
        room = MAX_STATE_BYTES - sum(_bytes(name) for other in self.open.values() for name in other.stats)
        for place, name in enumerate(new):
            room -= _bytes(name)
            if room < 0:
                return len(new) - place
            span.stats[name] = Stats()
        return 0

    def closed(self, spans: Spans) -> list[Span]:
        """Takes out the spans that are over, the oldest first."""
        return self._over(self.newest_ms - spans.grace_ms)

    def expired(self, spans: Spans, now_ms: int) -> list[Span]:
        """Takes out the spans that are over by somebody else's time, the oldest first; what comes for them is late."""
        over = self._over(now_ms)
        self.newest_ms = max([self.newest_ms, *(span.end_ms + spans.grace_ms for span in over)])
        return over

    def _over(self, until_ms: int) -> list[Span]:
        over = sorted((s for s in self.open.values() if s.end_ms <= until_ms), key=lambda s: (s.end_ms, s.width_ms))
        for span in over:
            del self.open[(span.width_ms, span.start_ms)]
        return over

    # In the table.

    def to_bytes(self) -> bytes:
        """JSON, a list in a list: small, for it is written for each record."""
        spans = [
            [s.start_ms, s.width_ms, s.records, s.newest_offset, {name: _row(stats) for name, stats in s.stats.items()}]
            for s in self.open.values()
        ]
        return orjson.dumps([1, self.partition, self.offset, self.newest_ms, spans])

    @classmethod
    def from_bytes(cls, text: bytes) -> Tumbling:
        """What `to_bytes` wrote.

        Raises:
            ValueError: It was written by another version of this.
        """
        layout, *rest = orjson.loads(text)
        if layout != 1:
            raise ValueError(f"the table's layout is {layout}, not 1")
        partition, offset, newest_ms, spans = rest
        return cls(partition, offset, newest_ms, {(span[1], span[0]): _span(span) for span in spans})


def _bytes(name: str) -> int:
    return len(orjson.dumps(name)) + _ROW_BYTES


def _row(stats: Stats) -> Sequence[float]:
    return [stats.count, stats.sum, stats.min, stats.max, stats.last, stats.last_ms]


def _span(row: Sequence[object]) -> Span:
    start_ms, width_ms, records, newest_offset, stats = row
    return Span(start_ms, width_ms, records, newest_offset, {name: Stats(*values) for name, values in stats.items()})  # type: ignore[arg-type,attr-defined]
