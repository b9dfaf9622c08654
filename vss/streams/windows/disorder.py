"""One sensor at a time: readings out of order, twice, late or after a gap, and windows that enter a new block.

What a window holds in a block is what a replay from the beginning of the block before gives. As long as readings come
in order, that is the window itself without what lies further back. When one does not, while the window still holds
readings from before the block, what the replay will have is kept beside it, in a *shadow*, until they have left it:
from then on both are the same (see `vss.streams.windows.arrivals`).
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from vss.streams.windows.arrivals import Arrival, ArrivalRule, Placed
from vss.streams.windows.batch import Columns, Reordered
from vss.streams.windows.rings import Float32, Int64, Rings


@dataclass(slots=True)
class Shadow:
    """What a replay from the beginning of this block has of a window.

    Attributes:
        times: Ascending event times, milliseconds.
        readings: Time, offset and values of each.
    """

    times: list[int] = field(default_factory=list)
    readings: list[tuple[int, int, Float32]] = field(default_factory=list)


@dataclass(slots=True)
class Anew:
    """How many windows started anew.

    Attributes:
        gap: After a gap in event time.
        reach: At least in part, because they reached back too far.
    """

    gap: int = 0
    reach: int = 0


class Disorder:
    """Takes in what does more than append.

    Args:
        rings: Where windows lie.
        rule: What readings do to them.
        block: Records of a partition in a block.
    """

    def __init__(self, rings: Rings, rule: ArrivalRule, block: int) -> None:
        self._rings = rings
        self._rule = rule
        self._block = block
        self._shadows: dict[int, Shadow] = {}

    def take(
        self, sensors: Iterable[tuple[int, list[int]]], columns: Columns, status: NDArray[np.uint8]
    ) -> tuple[Columns, Reordered, Anew]:
        """Takes in the readings of some sensors.

        Args:
            sensors: Row of each, and the places of its readings in the batch, ascending.
            columns: The batch.
            status: (n,) what became of each reading in the batch; filled for these.

        Returns:
            The batch, with what shadows brought behind it; the new windows in its terms; how many started anew.
        """
        into, anew, brought = Reordered(), Anew(), _Brought(columns)
        for row, places in sensors:
            window = _Window(self._rings, row, brought, self._rule, self._block, self._shadows.pop(row, None), anew)
            for place in places:
                status[place], due = window.take(place)
                if due is not None:
                    into.due[place] = (row, due)
            into.rows.append(row)
            into.contents.append(window.references)
            if window.shadow is not None:
                self._shadows[row] = window.shadow
            window.describe()
        return brought.columns(), into, anew

    def forget(self, rows: Int64) -> None:
        """Rows are free again."""
        if self._shadows:
            for row in rows.tolist():
                self._shadows.pop(row, None)


class _Brought:
    """The readings of a batch, and behind them those that shadows bring."""

    def __init__(self, columns: Columns) -> None:
        self._columns = columns
        self._offsets: list[int] = columns.offsets.tolist()
        self._times: list[int] = columns.ts_ms.tolist()
        self._values: list[Float32] = []

    def add(self, ts_ms: int, offset: int, values: Float32) -> int:
        """One more; returns its place."""
        self._offsets.append(offset)
        self._times.append(ts_ms)
        self._values.append(values)
        return len(self._offsets) - 1

    def offset(self, place: int) -> int:
        """Of the reading at a place."""
        return self._offsets[place]

    def ts_ms(self, place: int) -> int:
        """Event time of the reading at a place."""
        return self._times[place]

    def values(self, place: int) -> Float32:
        """A copy of the values of the reading at a place."""
        before = len(self._columns.offsets)
        return self._columns.values[place].copy() if place < before else self._values[place - before]

    def columns(self) -> Columns:
        """All of them."""
        if not self._values:
            return self._columns
        values = np.concatenate([self._columns.values, np.stack(self._values)])
        return Columns(np.array(self._offsets, np.int64), np.array(self._times, np.int64), values)


class _Window:
    """One window while a batch passes through it; what it holds is written as in `Reordered`."""

    def __init__(
        self,
        rings: Rings,
        row: int,
        brought: _Brought,
        rule: ArrivalRule,
        block: int,
        shadow: Shadow | None,
        anew: Anew,
    ) -> None:
        self._rings = rings
        self._row = row
        self._brought = brought
        self._rule = rule
        self._block_length = block
        self.shadow = shadow
        self._anew = anew
        width = rings.window
        count = int(rings.count[row])
        slots = (int(rings.head[row]) - count + np.arange(count)) % width
        self.times: list[int] = rings.times[row * width + slots].tolist()
        self.references: list[int] = slots.tolist()
        self._held: list[int] = rings.offsets[row * width : (row + 1) * width].tolist()
        self._block = int(rings.block[row])
        self._last = int(rings.last[row])
        self._may_reach_behind = count > 0

    def take(self, place: int) -> tuple[Arrival, Int64 | None]:
        """Takes a reading in; returns what became of it and, where it makes the window due, what is in that."""
        ts_ms, offset = self._brought.ts_ms(place), self._brought.offset(place)
        if offset // self._block_length != self._block:
            self._enter(offset // self._block_length)
        self._last = offset
        before, newest_ms = len(self.times), self.times[-1] if self.times else None
        if self.shadow is None and newest_ms is not None and ts_ms <= newest_ms and self._reaches_behind():
            self.shadow = self._of_this_block()
        if self.shadow is not None:
            reading = (ts_ms, offset, self._brought.values(place))
            self._rule.place(self.shadow.times, self.shadow.readings, ts_ms, reading)
        placed = self._rule.place(self.times, self.references, ts_ms, self._rings.window + place)
        if self.shadow is not None and not self._reaches_behind():
            self.shadow = None
        if placed is Placed.LATE:
            return Arrival.LATE, None
        if placed is Placed.DUPLICATE:
            return Arrival.DUPLICATE, None
        if placed is Placed.ANEW:
            self._anew.gap += 1
            before, newest_ms = 0, None
        if placed is Placed.INSIDE or not self._rule.due(before, newest_ms, self.times):
            return Arrival.TAKEN, None
        return Arrival.DUE, np.array(self.references, np.int64)

    def describe(self) -> None:
        """Tells the row what it will hold once the batch is written."""
        rings, row = self._rings, self._row
        rings.count[row] = len(self.times)
        rings.head[row] = len(self.times) % rings.window
        rings.newest[row] = self.times[-1] if self.times else 0
        rings.last[row] = self._last
        rings.block[row] = self._block
        rings.shadowed[row] = self.shadow is not None

    def _enter(self, block: int) -> None:
        """A new block begins for this window: it lets go of what lies before the block that ends."""
        if self.times and block > self._block + 1:
            self._anew.reach += 1
            self.times, self.references = [], []
        elif self._reaches_behind():
            self._anew.reach += 1
            kept = self.shadow if self.shadow is not None else self._of_this_block()
            self.times = list(kept.times)
            self.references = [self._rings.window + self._brought.add(*reading) for reading in kept.readings]
        self.shadow = None
        self._block = block
        self._may_reach_behind = bool(self.times)

    def _reaches_behind(self) -> bool:
        """Whether it holds something from before its block, so that a replay from there may differ."""
        if self._may_reach_behind:
            begins = self._block * self._block_length
            self._may_reach_behind = any(self._offset(reference) < begins for reference in self.references)
        return self._may_reach_behind

    def _of_this_block(self) -> Shadow:
        begins = self._block * self._block_length
        shadow = Shadow()
        for ts_ms, reference in zip(self.times, self.references, strict=True):
            if (offset := self._offset(reference)) >= begins:
                shadow.times.append(ts_ms)
                shadow.readings.append((ts_ms, offset, self._values(reference)))
        return shadow

    def _offset(self, reference: int) -> int:
        width = self._rings.window
        return self._held[reference] if reference < width else self._brought.offset(reference - width)

    def _values(self, reference: int) -> Float32:
        width = self._rings.window
        if reference < width:
            held: Float32 = self._rings.values[self._row * width + reference].copy()
            return held
        return self._brought.values(reference - width)
