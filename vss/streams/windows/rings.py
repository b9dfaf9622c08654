"""Where windows lie: one row of slots a sensor, in arrays that grow by a few megabytes at a time."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

Int64 = NDArray[np.int64]
Float32 = NDArray[np.float32]

_CHUNK_BYTES = 8 << 20
NEVER = np.iinfo(np.int64).max
"""An offset that no record has."""


def row_bytes(window: int, features: int) -> int:
    """What a sensor's window takes: a time, an offset and the values of each reading, and a few numbers beside them."""
    return window * (8 + 8 + 4 * features) + 48


class Rings:
    """Ring buffers, a row a sensor. In a row readings lie by event time, the oldest at `head - count`.

    A row that is not full begins at slot 0. Growing moves no data where the allocator can remap pages (glibc does),
    so there is no moment at which everything is held twice.

    Args:
        window: Slots in a row.
        features: Values in a slot.
        max_rows: Rows there may be.

    Attributes:
        times: (rows × window) event times, milliseconds.
        offsets: (rows × window).
        values: (rows × window, features), NaN where one is missing.
        head: (rows) slot of the next reading.
        count: (rows) readings held.
        newest: (rows) event time of the newest reading.
        last: (rows) offset of the last record of the sensor, whatever became of it.
        oldest: (rows) lowest offset held; `NEVER` in an empty row.
        block: (rows) block of the partition that `last` lies in.
        mixed: (rows) whether offsets do not ascend with time.
        shadowed: (rows) whether what the next block keeps is held apart (see `vss.streams.windows.disorder`).
    """

    def __init__(self, window: int, features: int, max_rows: int) -> None:
        self.window = window
        self.features = features
        self._max_rows = max_rows
        self._row_bytes = row_bytes(window, features)
        self._chunk = max(1, _CHUNK_BYTES // self._row_bytes)
        self._free: list[int] = []
        self.rows = 0
        self.times: Int64 = np.empty(0, np.int64)
        self.offsets: Int64 = np.empty(0, np.int64)
        self.values: Float32 = np.empty((0, features), np.float32)
        self.head: Int64 = np.empty(0, np.int64)
        self.count: Int64 = np.empty(0, np.int64)
        self.newest: Int64 = np.empty(0, np.int64)
        self.last: Int64 = np.empty(0, np.int64)
        self.oldest: Int64 = np.empty(0, np.int64)
        self.block: Int64 = np.empty(0, np.int64)
        self.mixed: NDArray[np.bool_] = np.empty(0, np.bool_)
        self.shadowed: NDArray[np.bool_] = np.empty(0, np.bool_)

    def take(self) -> int | None:
        """An empty row; None where there is no room."""
        if not self._free and not self._grow():
            return None
        return self._free.pop()

    def free(self, rows: Int64) -> None:
        """Empties rows and gives them back."""
        self._empty(rows)
        # The lowest is taken first, so that what was never used stays untouched.
        self._free.extend(sorted(rows.tolist(), reverse=True))

    @property
    def held(self) -> int:
        """Rows in use."""
        return self.rows - len(self._free)

    @property
    def size_bytes(self) -> int:
        """Memory that the arrays hold."""
        return self.rows * self._row_bytes

    def _empty(self, rows: Any) -> None:
        self.head[rows] = self.count[rows] = 0
        self.newest[rows] = 0
        self.last[rows] = self.block[rows] = -1
        self.oldest[rows] = NEVER
        self.mixed[rows] = self.shadowed[rows] = False

    def _grow(self) -> bool:
        before, rows = self.rows, min(self.rows + self._chunk, self._max_rows)
        if rows == before:
            return False
        # Nothing else refers to the arrays between two calls.
        for slots in (self.times, self.offsets):
            slots.resize(rows * self.window, refcheck=False)
        self.values.resize((rows * self.window, self.features), refcheck=False)
        for number in (self.head, self.count, self.newest, self.last, self.oldest, self.block):
            number.resize(rows, refcheck=False)
        for flag in (self.mixed, self.shadowed):
            flag.resize(rows, refcheck=False)
        self.rows = rows
        self._empty(slice(before, rows))
        self._free.extend(range(rows - 1, before - 1, -1))
        return True
