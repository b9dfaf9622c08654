"""What an audit knows of every offset: whether there is a record, and how many outcomes it has."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping

from vss.schemas.envelope import TopicPartition

# A byte an offset: the highest bit says that there is a record, the others count its outcomes up to 127.
_RECORD = 0x80
_MOST = 0x7F
_MISSING = re.compile(rb"\x80")
_DOUBLED = re.compile(rb"[\x82-\xff]")
_STRAY = re.compile(rb"[\x01-\x7f]")
_NO_RECORD = bytes(range(_RECORD))


class Ledger:
    """The offsets of a topic's partitions.

    Args:
        spans: First offset and end of each partition.
    """

    def __init__(self, spans: Mapping[TopicPartition, tuple[int, int]]) -> None:
        self._lows = {p: low for p, (low, _) in spans.items()}
        self._marks = {p: bytearray(end - low) for p, (low, end) in spans.items()}

    def record(self, partition: TopicPartition, offset: int) -> None:
        """There is a record at an offset of the span."""
        self._marks[partition][offset - self._lows[partition]] |= _RECORD

    def outcome(self, partition: TopicPartition, offset: int) -> bool:
        """A record has an outcome; returns False, and counts nothing, for one outside of the span."""
        marks = self._marks.get(partition)
        place = offset - self._lows.get(partition, 0)
        if marks is None or not 0 <= place < len(marks):
            return False
        if marks[place] & _MOST < _MOST:
            marks[place] += 1
        return True

    def take(self, partition: TopicPartition, offsets: Iterable[int], end: int) -> int:
        """Those of some records below an offset that have no outcome have one now; returns how many."""
        marks, low = self._marks[partition], self._lows[partition]
        count = 0
        for offset in offsets:
            if low <= offset < end and marks[offset - low] == _RECORD:
                marks[offset - low] += 1
                count += 1
        return count

    def forget_before(self, partition: TopicPartition, low: int) -> None:
        """The span of a partition begins later now."""
        if (gone := low - self._lows[partition]) > 0:
            del self._marks[partition][:gone]
            self._lows[partition] = low

    def positions(self) -> dict[TopicPartition, int]:
        """The offset behind the last record of each partition that has one."""
        positions = {}
        for partition, marks in self._marks.items():
            held = marks.rstrip(_NO_RECORD)
            if held:
                positions[partition] = self._lows[partition] + len(held)
        return positions

    def records(self) -> int:
        """How many records there are."""
        return sum(len(marks.translate(None, _NO_RECORD)) for marks in self._marks.values())

    def missing(self) -> int:
        """How many records have no outcome."""
        return sum(marks.count(_RECORD) for marks in self._marks.values())

    def missing_from(self, positions: Mapping[TopicPartition, int | None]) -> int:
        """How many of them lie at or behind a position of their partition; all where it has none."""
        found = 0
        for partition, marks in self._marks.items():
            place = (positions.get(partition) or 0) - self._lows[partition]
            found += marks.count(_RECORD, max(0, place))
        return found

    def doubled(self) -> int:
        """How many records have more than one outcome."""
        return self._number(_DOUBLED)

    def stray(self) -> int:
        """How many offsets have an outcome and no record."""
        return self._number(_STRAY)

    def first_missing(self, limit: int) -> list[tuple[TopicPartition, int]]:
        """The first records without an outcome."""
        return self._first(_MISSING, limit)

    def first_doubled(self, limit: int) -> list[tuple[TopicPartition, int]]:
        """The first records with more than one."""
        return self._first(_DOUBLED, limit)

    def first_stray(self, limit: int) -> list[tuple[TopicPartition, int]]:
        """The first offsets with an outcome and no record."""
        return self._first(_STRAY, limit)

    def _number(self, pattern: re.Pattern[bytes]) -> int:
        return sum(sum(1 for _ in pattern.finditer(marks)) for marks in self._marks.values())

    def _first(self, pattern: re.Pattern[bytes], limit: int) -> list[tuple[TopicPartition, int]]:
        found: list[tuple[TopicPartition, int]] = []
        for partition in sorted(self._marks):
            for match in pattern.finditer(self._marks[partition]):
                if len(found) >= limit:
                    return found
                found.append((partition, self._lows[partition] + match.start()))
        return found
