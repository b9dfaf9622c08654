"""The windows of every sensor that a worker serves.

    take a micro-batch in → gather the windows that it made due → … → commit how far back a new owner must read

What windows hold follows from the readings of the log in their order, and from nothing else: neither from where batches
are cut, nor from the time of day, nor from what was dropped from memory.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from vss.config import WindowSettings
from vss.errors import BrokenPromise, ConfigError
from vss.metrics import Metrics
from vss.schemas.envelope import Commit, TopicPartition
from vss.streams.windows.arrivals import Arrival, ArrivalRule
from vss.streams.windows.batch import Arriving, Columns, Reordered, Windows
from vss.streams.windows.disorder import Anew, Disorder
from vss.streams.windows.layout import WindowLayout
from vss.streams.windows.partitions import Partitions
from vss.streams.windows.placing import Grouped, group_by_row, place_in_order, simple_groups
from vss.streams.windows.report import WindowReport
from vss.streams.windows.rings import Float32, Int64, Rings, row_bytes


@dataclass(frozen=True, slots=True, eq=False)
class Taken:
    """What became of a batch's readings.

    Attributes:
        status: (n,) an `Arrival` of each.
        due: Places of those that made their windows due, ascending.
    """

    status: NDArray[np.uint8]
    due: Int64


class KeyedWindows:
    """Windows by sensor and partition. Belongs to the loop's thread.

    Args:
        layout: What a window looks like.
        settings: Lateness, expiry, stride and limits.
        step: The step's name, a label of each metric.
        metrics: Where everything is counted.

    Raises:
        ConfigError: The settings do not fit the layout.
    """

    def __init__(self, layout: WindowLayout, settings: WindowSettings, *, step: str, metrics: Metrics) -> None:
        self.layout = layout
        width, features = layout.window, len(layout.features)
        _check(layout, settings)
        span_ms = settings.stride * layout.period_ms if settings.stride > 1 and layout.period_ms else None
        self._rule = ArrivalRule(width, settings.lateness_ms, settings.expire_after_ms, span_ms)
        self._block = settings.max_rewind // 2
        room = settings.max_bytes // row_bytes(width, features)
        self._rings = Rings(width, features, min(settings.max_keys, room))
        self._partitions = Partitions(self._rings, self._block)
        self._disorder = Disorder(self._rings, self._rule, self._block)
        self._report = WindowReport(step, metrics)
        self._arriving: Arriving | None = None
        self._taken: Taken | None = None
        # Whether a new block began since what lies out of reach was let go.
        self._entered = False

    # Of `KeyedState`.

    def start(self, partition: TopicPartition, commit: Commit | None) -> int | None:
        """See `KeyedState.start`."""
        self.forget([partition])
        return self._partitions.start(partition, commit)

    def memory(self, partitions: Collection[TopicPartition]) -> Mapping[TopicPartition, str]:
        """See `KeyedState.memory`."""
        self._write()
        return self._partitions.memory(partitions)

    def forget(self, partitions: Collection[TopicPartition]) -> None:
        """See `KeyedState.forget`."""
        self._write()
        self._free(self._partitions.drop(partitions))
        self._report.holds(self._rings)

    # The way of a batch.

    def take(
        self,
        runs: Sequence[tuple[TopicPartition, int]],
        keys: Sequence[bytes],
        offsets: Int64,
        ts_ms: Int64,
        values: Float32,
        *,
        rebuilding: bool = False,
    ) -> Taken:
        """Takes readings into the windows of their sensors.

        Args:
            runs: How many of them, in their order, are of which partition. A partition's come in order of offset.
            keys: (n) sensors.
            offsets: (n,) int64.
            ts_ms: (n,) int64 event times.
            values: (n, F) float32, NaN where one is missing; what is infinite counts as missing. Must not be changed
                before the next batch.
            rebuilding: They have their outcome already: nothing is counted, and nothing is due.
        """
        self._write()
        if self._entered:
            self._let_go()
        finite = np.isfinite(values)
        columns = Columns(offsets, ts_ms, values if finite.all() else np.where(finite, values, np.float32(np.nan)))
        status = np.zeros(len(keys), np.uint8)
        rows = self._rows(runs, keys, offsets)
        grouped = group_by_row(rows)
        if len(grouped.places) < len(rows):
            status[rows < 0] = Arrival.NO_ROOM
        self._arriving, anew = self._place(grouped, columns, status)
        taken = Taken(status, np.flatnonzero(status == Arrival.DUE))
        self._taken = taken
        self._report.holds(self._rings)
        if rebuilding:
            self._report.rebuilt(len(keys))
            return Taken(status, taken.due[:0])
        self._report.took(status, values.size - int(np.count_nonzero(finite)), anew)
        return taken

    def gather(self, taken: Taken, due: Int64 | None = None) -> Windows:
        """The windows that a batch made due, each as it was when its newest reading arrived.

        Args:
            taken: What `take` returned last; nothing else may have been called since.
            due: Some of `taken.due`, in any order; all by default.

        Raises:
            BrokenPromise: Something else was called since.
        """
        if self._arriving is None or taken is not self._taken:
            raise BrokenPromise("windows are gathered before anything else is taken in")
        return self._arriving.gather(self._rings, taken.due if due is None else due)

    def _rows(self, runs: Sequence[tuple[TopicPartition, int]], keys: Sequence[bytes], offsets: Int64) -> Int64:
        rows = self._look_up(runs, keys)
        if len(rows) and int(rows.min()) < 0:
            self._let_go()
            rows = self._look_up(runs, keys)
        end = 0
        for name, count in runs:
            end += count
            if count:
                # What nobody can reach any more is let go before the next batch, for this one may still hold it.
                self._entered |= self._partitions.passed(name, int(offsets[end - 1]))
        return rows

    def _look_up(self, runs: Sequence[tuple[TopicPartition, int]], keys: Sequence[bytes]) -> Int64:
        if len(runs) == 1:
            return self._partitions.rows_of(runs[0][0], keys)
        found, begin = [np.empty(0, np.int64)], 0
        for name, count in runs:
            found.append(self._partitions.rows_of(name, keys[begin : begin + count]))
            begin += count
        return np.concatenate(found)

    def _place(self, grouped: Grouped, columns: Columns, status: NDArray[np.uint8]) -> tuple[Arriving, Anew]:
        simple = simple_groups(grouped, columns, self._rings, self._rule, self._block)
        if simple.all():
            in_order = place_in_order(grouped, columns, self._rings, self._rule, self._block, status)
            return Arriving(columns, in_order, Reordered()), Anew()
        apart = [(int(grouped.rows[group]), grouped.of(group).tolist()) for group in np.flatnonzero(~simple).tolist()]
        rest = grouped.only(simple)
        in_order = place_in_order(rest, columns, self._rings, self._rule, self._block, status)
        columns, reordered, anew = self._disorder.take(apart, columns, status)
        return Arriving(columns, in_order, reordered), anew

    def _write(self) -> None:
        """Writes the batch before into the rings."""
        arriving, self._arriving, self._taken = self._arriving, None, None
        if arriving is not None:
            arriving.write(self._rings)

    def _let_go(self) -> None:
        self._entered = False
        self._free(self._partitions.let_go())

    def _free(self, rows: Int64) -> None:
        self._disorder.forget(rows)
        self._rings.free(rows)


def _check(layout: WindowLayout, settings: WindowSettings) -> None:
    width = layout.window
    if settings.stride > width:
        raise ConfigError(
            f"windows.stride is {settings.stride}, a window of {layout.window} readings would leave some out",
            fix=f"set windows.stride to at most {width}",
        )
    if settings.stride > 1 and not layout.period_ms:
        raise ConfigError(
            "windows.stride counts by the period of the readings, which this model does not say",
            fix="set windows.stride to 1, or train with a period",
        )
    if settings.max_rewind < 2 * width:
        raise ConfigError(
            f"windows.max_rewind is {settings.max_rewind}, too little for a window of {width} readings",
            fix=f"set windows.max_rewind to at least {2 * width} for each sensor of a partition",
        )
    if settings.max_bytes < row_bytes(width, len(layout.features)):
        raise ConfigError(
            f"windows.max_bytes is {settings.max_bytes}, less than one sensor's window takes",
            fix=f"set windows.max_bytes to at least {row_bytes(width, len(layout.features))} for each sensor",
        )
