"""What an audit knows of readings and of the windows that events were made of.

A reading that was taken into its sensor's window leaves no record behind; the sensor's next events name the window
instead. So each event is held against the readings: between the first offset of its window and its source there must be
exactly as many readings of its sensor as it says, not counting those that were left out and those that are older than
its window. Where a reading was lost on its way, the event's window reaches one reading too far back.
"""

from __future__ import annotations

from array import array
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from vss.codecs.headers import parse_time
from vss.codecs.readings import ReadingLimits, decode_readings
from vss.schemas.envelope import Record, TopicPartition
from vss.schemas.telemetry import WindowSpan

Int64 = NDArray[np.int64]

REFUSED = frozenset(
    {
        "MissingKey",
        "EmptyValue",
        "RecordTooLarge",
        "MalformedEvent",
        "BadReading",
        "UnknownSensor",
        "TooManySensors",
    }
)
"""Errors for which a reading is in no window; with another its window was looked at, and had no event."""
# Offsets and keys in one number: a partition has less than 2^40 records, and a log less than 2^23 sensors.
_OFFSET_BITS = 40
_OFFSET = (1 << _OFFSET_BITS) - 1


@dataclass(frozen=True, slots=True)
class WindowCount:
    """What was found of one partition.

    Attributes:
        seen: (n,) offsets of readings in the window of an event, ascending.
        unseen: (m,) offsets of the others that are in some window, ascending.
        wrong: Sources of events whose windows do not hold what they say, ascending.
    """

    seen: Int64
    unseen: Int64
    wrong: Int64


class Readings:
    """The readings of one partition, and the events about them. Takes about 60 bytes a reading.

    Args:
        low: First offset of the audited span.
        limits: What a reading may be.
        block: Records of a partition that windows are let go by (see `KeyedWindows`).
    """

    def __init__(self, low: int, limits: ReadingLimits, block: int) -> None:
        self._low = low
        self._block = block
        self._limits = limits
        self._numbers: dict[bytes, int] = {}
        # A reading's key and offset in one number, and its time; the same of events and their windows.
        self._at, self._ts = array("q"), array("q")
        self._sources, self._firsts = array("q"), array("q")
        self._counts, self._starts = array("q"), array("q")
        self._left_out: set[int] = set()

    def record(self, records: Sequence[Record]) -> None:
        """There are these records; those that are no readings must have dead letters."""
        found = decode_readings(
            [record.value for record in records],
            [record.key for record in records],
            [record.timestamp_ms for record in records],
            self._limits,
        )
        for place in found.good:
            self._at.append(self._placed(records[place].key or b"", records[place].offset))
        self._ts.extend(found.ts_ms[list(found.good)].tolist())

    def leave_out(self, offset: int) -> None:
        """A reading is in no window."""
        self._left_out.add(offset)

    def event(self, key: bytes, offset: int, window: WindowSpan) -> None:
        """An event was made of a window that ends at an offset.

        Raises:
            ValueError: The window's start is no time.
        """
        self._starts.append(parse_time(window.start) // 1_000_000)
        self._sources.append(self._placed(key, offset))
        self._firsts.append(self._placed(key, window.first_offset))
        self._counts.append(window.readings)

    def count(self) -> WindowCount:
        """Holds the events against the readings."""
        at, ts = np.array(self._at, np.int64), np.array(self._ts, np.int64)
        order = np.argsort(at, kind="stable")
        at, ts = at[order], ts[order]
        every_at, every_ts = at, ts
        if self._left_out:
            kept = ~np.isin(at & _OFFSET, np.fromiter(self._left_out, np.int64, len(self._left_out)))
            at, ts = at[kept], ts[kept]
        sources = np.array(self._sources, np.int64)
        begins = np.searchsorted(at, np.array(self._firsts, np.int64))
        ends = np.searchsorted(at, sources, side="right")
        wrong = self._wrong(at, ts, begins, ends)
        self._pardon(wrong, every_at, every_ts)
        covered = np.zeros(len(at) + 1, np.int64)
        np.add.at(covered, begins, 1)
        np.add.at(covered, ends, -1)
        inside = covered.cumsum()[:-1] > 0
        offsets = at & _OFFSET
        return WindowCount(
            seen=np.sort(offsets[inside]),
            unseen=np.sort(offsets[~inside]),
            wrong=np.sort(sources[wrong] & _OFFSET),
        )

    def _pardon(self, wrong: NDArray[np.bool_], at: Int64, ts: Int64) -> None:
        """Windows that reach into an earlier block may hold readings that were left out when the block had not begun.

        Args:
            wrong: Of each event; changed in place.
            at: All readings, also those that were left out.
            ts: Their times.
        """
        for i in np.flatnonzero(wrong).tolist():
            first, source = self._firsts[i], self._sources[i]
            if (first & _OFFSET) // self._block < (source & _OFFSET) // self._block:
                begin, end = np.searchsorted(at, first), np.searchsorted(at, source, side="right")
                wrong[i] = int(np.count_nonzero(ts[begin:end] >= self._starts[i])) < self._counts[i]

    def _placed(self, key: bytes, offset: int) -> int:
        number = self._numbers.setdefault(key, len(self._numbers))
        return (number << _OFFSET_BITS) | offset

    def _wrong(self, at: Int64, ts: Int64, begins: Int64, ends: Int64) -> NDArray[np.bool_]:
        counts, starts = np.array(self._counts, np.int64), np.array(self._starts, np.int64)
        firsts = np.array(self._firsts, np.int64)
        # Where times ascend, all that lies between the ends is in the window; elsewhere it has to be looked at.
        falls = np.concatenate(([0], np.cumsum(np.diff(ts) <= 0))) if len(ts) else np.zeros(0, np.int64)
        there = ends > begins
        first = np.minimum(begins, max(0, len(at) - 1))
        last = np.minimum(np.maximum(ends - 1, 0), max(0, len(at) - 1))
        if len(at):
            ascending = there & (falls[first] == falls[last])
            right = ascending & (ends - begins == counts) & (ts[first] == starts) & (at[first] == firsts)
        else:
            ascending = right = np.zeros(len(counts), np.bool_)
        for i in np.flatnonzero(there & ~ascending).tolist():
            inside = ts[begins[i] : ends[i]]
            inside = inside[inside >= starts[i]]
            right[i] = len(inside) == counts[i] and int(inside.min()) == starts[i] and at[begins[i]] == firsts[i]
        # What retention took away cannot be counted any more.
        gone = (firsts & _OFFSET) < self._low
        wrong: NDArray[np.bool_] = ~(right | gone)
        return wrong


class WindowAudit:
    """The readings of a topic by partition.

    Args:
        lows: First offset of each partition.
        limits: What a reading may be.
        block: See `Readings`.
    """

    def __init__(self, lows: dict[TopicPartition, int], limits: ReadingLimits, block: int) -> None:
        self._readings = {partition: Readings(low, limits, block) for partition, low in lows.items()}

    def of(self, partition: TopicPartition) -> Readings | None:
        """Those of a partition; None for one that is not audited."""
        return self._readings.get(partition)

    def counts(self) -> dict[TopicPartition, WindowCount]:
        """What was found, by partition."""
        return {partition: readings.count() for partition, readings in sorted(self._readings.items())}


def first_of(found: dict[TopicPartition, WindowCount], limit: int) -> Sequence[tuple[TopicPartition, int]]:
    """The first events whose windows do not hold what they say."""
    places = [(partition, int(offset)) for partition, count in found.items() for offset in count.wrong[:limit]]
    return places[:limit]
