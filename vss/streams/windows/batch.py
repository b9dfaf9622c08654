"""A micro-batch on its way into the rings, and the windows that it makes due.

What a batch adds is written into the rings only when the next one comes. Until then the rings are as they were before
it, and the window of each of its readings can be put together as it was when that reading arrived.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np
from numpy.lib.stride_tricks import as_strided
from numpy.typing import NDArray

from vss.streams.windows.rings import Float32, Int64, Rings


@dataclass(frozen=True, slots=True)
class Columns:
    """The readings of a batch.

    Attributes:
        offsets: (n,).
        ts_ms: (n,) event times, milliseconds.
        values: (n, F), NaN where one is missing, never infinite.
    """

    offsets: Int64
    ts_ms: Int64
    values: Float32


@dataclass(frozen=True, slots=True)
class InOrder:
    """Sensors whose readings in the batch only append to their windows. Readings stand sensor by sensor.

    Attributes:
        places: (m,) of the readings in the batch.
        group: (m,) sensor of each, counted from 0.
        rank: (m,) of each among its sensor's.
        rows: (g,) a row a sensor.
        sizes: (g,) readings a sensor.
        starts: (g,) where a sensor's readings begin.
        head: (g,) of the row before the batch.
        count: (g,) of the row before the batch.
        mixed: (g,) of the row before the batch.
    """

    places: Int64
    group: Int64
    rank: Int64
    rows: Int64
    sizes: Int64
    starts: Int64
    head: Int64
    count: Int64
    mixed: NDArray[np.bool_]


@dataclass(slots=True)
class Reordered:
    """Sensors whose readings in the batch did more than append.

    A window is written as references: below W it is a slot of the row as it was before the batch, from W on a place in
    the batch.

    Attributes:
        rows: A row a sensor.
        contents: The references in each of their windows after the batch.
        due: Row and references of the window that a reading made due, by its place in the batch.
    """

    rows: list[int] = field(default_factory=list)
    contents: list[list[int]] = field(default_factory=list)
    due: dict[int, tuple[int, Int64]] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Windows:
    """Windows as they were when their newest reading arrived.

    Attributes:
        values: (m, W, F) float32, oldest first; NaN where a value is missing, never infinite.
        missing: (m,) int64, values that are missing.
        first_offset: (m,) int64, lowest offset in the window.
        start_ms: (m,) int64, event time of its oldest reading.
        end_ms: (m,) int64, event time of its newest.
    """

    values: Float32
    missing: Int64
    first_offset: Int64
    start_ms: Int64
    end_ms: Int64


@dataclass(frozen=True, slots=True)
class Arriving:
    """A batch whose readings are placed and not yet written."""

    columns: Columns
    in_order: InOrder | None
    reordered: Reordered

    def write(self, rings: Rings) -> None:
        """Writes what it adds into the rings."""
        if (batch := self.in_order) is not None:
            self._append(rings, batch)
        if self.reordered.rows:
            self._replace(rings)

    def _append(self, rings: Rings, batch: InOrder) -> None:
        places, group, rank, width = batch.places, batch.group, batch.rank, rings.window
        if int(batch.sizes.max()) > width:  # only the last of them stay
            kept = rank >= batch.sizes[group] - width
            places, group, rank = places[kept], group[kept], rank[kept]
        slots = batch.rows[group] * width + (batch.head[group] + rank) % width
        rings.times[slots] = self.columns.ts_ms[places]
        rings.offsets[slots] = self.columns.offsets[places]
        rings.values[slots] = self.columns.values[places]
        if batch.mixed.any():
            _look_at_mixed(rings, batch.rows[batch.mixed])

    def _replace(self, rings: Rings) -> None:
        rows, width = np.array(self.reordered.rows), rings.window
        lengths = np.array([len(references) for references in self.reordered.contents])
        references = np.array([r for references in self.reordered.contents for r in references], np.int64)
        bases = np.repeat(rows * width, lengths)
        slots = bases + np.arange(len(references)) - np.repeat(np.cumsum(lengths) - lengths, lengths)
        times, offsets, values = self._resolve(rings, bases, references)
        rings.times[slots], rings.offsets[slots], rings.values[slots] = times, offsets, values
        _look_at_mixed(rings, rows)

    def _resolve(self, rings: Rings, bases: Int64, references: Int64) -> tuple[Int64, Int64, Float32]:
        held = references < rings.window
        slots = bases + np.where(held, references, 0)
        times, offsets, values = rings.times[slots], rings.offsets[slots], rings.values[slots]
        places = references[~held] - rings.window
        times[~held] = self.columns.ts_ms[places]
        offsets[~held] = self.columns.offsets[places]
        values[~held] = self.columns.values[places]
        return times, offsets, values

    def gather(self, rings: Rings, due: Int64) -> Windows:
        """Puts windows together.

        Args:
            rings: As they were before the batch.
            due: Places in the batch of readings that made their windows due.
        """
        count, width = len(due), rings.window
        windows = Windows(
            np.empty((count, width, rings.features), np.float32),
            np.empty(count, np.int64),
            np.empty(count, np.int64),
            np.empty(count, np.int64),
            self.columns.ts_ms[due],
        )
        apart = np.array([place in self.reordered.due for place in due.tolist()], np.bool_)
        if not self.reordered.due or not apart.any():
            self._gather_appended(rings, due, slice(None), windows)
        else:
            self._gather_reordered(rings, due[apart], np.flatnonzero(apart), windows)
            self._gather_appended(rings, due[~apart], np.flatnonzero(~apart), windows)
        gaps = np.isnan(windows.values)
        windows.missing[:] = np.count_nonzero(gaps, axis=(1, 2)) if gaps.any() else 0
        return windows

    def _gather_reordered(self, rings: Rings, due: Int64, into: Int64, windows: Windows) -> None:
        found = [self.reordered.due[place] for place in due.tolist()]
        bases = np.repeat(np.array([row for row, _ in found]) * rings.window, rings.window)
        times, offsets, values = self._resolve(rings, bases, np.concatenate([references for _, references in found]))
        shape = (len(due), rings.window)
        windows.values[into] = values.reshape(*shape, rings.features)
        windows.first_offset[into] = offsets.reshape(shape).min(axis=1)
        windows.start_ms[into] = times.reshape(shape)[:, 0]

    def _gather_appended(self, rings: Rings, due: Int64, into: Int64 | slice, windows: Windows) -> None:
        batch = self.in_order
        if batch is None or not len(due):
            return
        width = rings.window
        where = np.empty(len(self.columns.ts_ms), np.int64)
        where[batch.places] = np.arange(len(batch.places))
        readings = where[due]
        sensors, mine = np.unique(batch.group[readings], return_inverse=True)
        # Each sensor's row, oldest first, and behind it what the batch brings: every window is a stretch of that.
        lengths = width + batch.sizes[sensors]
        begins = np.cumsum(lengths) - lengths
        slots = (batch.head[sensors][:, None] + np.arange(width)) % width
        slots += batch.rows[sensors][:, None] * width
        line = np.empty((int(lengths.sum()), rings.features), np.float32)
        line[(begins[:, None] + np.arange(width)).reshape(-1)] = rings.values[slots.reshape(-1)]
        brought = _stretches(batch.starts[sensors], batch.sizes[sensors])
        line[_stretches(begins + width, batch.sizes[sensors])] = self.columns.values[batch.places[brought]]
        first = begins[mine] + batch.rank[readings] + 1
        stretches = as_strided(
            line,
            shape=(len(line) - width + 1, width * rings.features),
            strides=(line.strides[0], line.itemsize),
            writeable=False,
        )
        windows.values[into] = stretches[first].reshape(len(due), width, rings.features)
        self._spans(rings, batch, readings, into, windows)

    def _spans(self, rings: Rings, batch: InOrder, readings: Int64, into: Int64 | slice, windows: Windows) -> None:
        width, group = rings.window, batch.group[readings]
        at = batch.rank[readings] + 1
        windows.start_ms[into] = self._look_up(rings.times, self.columns.ts_ms, width, batch, group, at)
        first = self._look_up(rings.offsets, self.columns.offsets, width, batch, group, at)
        if (mixed := batch.mixed[group]).any():
            at_all = at[mixed][:, None] + np.arange(width)
            offsets = self._look_up(
                rings.offsets, self.columns.offsets, width, batch, np.repeat(group[mixed], width), at_all.reshape(-1)
            )
            first[mixed] = offsets.reshape(-1, width).min(axis=1)
        windows.first_offset[into] = first

    @staticmethod
    def _look_up(held: Int64, brought: Int64, width: int, batch: InOrder, group: Int64, at: Int64) -> Int64:
        """Of sensors' rows with what the batch brings behind them, what stands at a place."""
        found: Int64 = held[batch.rows[group] * width + (batch.head[group] + at) % width]
        new = at >= width
        if new.any():
            found[new] = brought[batch.places[batch.starts[group[new]] + at[new] - width]]
        return found


def _stretches(starts: Int64, lengths: Int64) -> Int64:
    """All numbers of several stretches, one after the other."""
    ends = np.cumsum(lengths)
    numbers: Int64 = np.arange(int(ends[-1])) + np.repeat(starts - (ends - lengths), lengths)
    return numbers


def _look_at_mixed(rings: Rings, rows: Int64 | Sequence[int]) -> None:
    """Finds the lowest offset of rows whose readings came out of order, and whether they still are."""
    rows = np.asarray(rows)
    width = rings.window
    slots = (rings.head[rows][:, None] + np.arange(width)) % width + rows[:, None] * width
    offsets = rings.offsets[slots]
    # The slots that hold nothing come first.
    offsets[np.arange(width) < width - rings.count[rows][:, None]] = -1
    rings.mixed[rows] = (np.diff(offsets, axis=1) < 0).any(axis=1)
    offsets[offsets < 0] = np.iinfo(np.int64).max
    rings.oldest[rows] = offsets.min(axis=1)
