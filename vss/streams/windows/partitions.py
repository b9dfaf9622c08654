"""Which sensors have a window, by partition, and from where a new owner must read to have the same."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np

from vss.schemas.envelope import Commit, TopicPartition
from vss.streams.windows.rewind import reach, read_rewind, rewind_text
from vss.streams.windows.rings import Int64, Rings


@dataclass(slots=True)
class Partition:
    """What is known of a partition.

    Attributes:
        rows: Row of each sensor.
        position: The offset behind the last that was taken in.
        committed: Below it everything has its outcome.
        rewind: Of the commit: what a new owner must rebuild from until all up to `committed` has been.
        oldest: No window holds less than this offset; found anew now and then.
        due_at: Position at which `oldest` is found anew.
    """

    rows: dict[bytes, int] = field(default_factory=dict)
    position: int = 0
    committed: int = 0
    rewind: int | None = None
    oldest: int = 0
    due_at: int = 0


class Partitions:
    """The sensors of all partitions.

    Args:
        rings: Their windows.
        block: Records of a partition in a block.
    """

    def __init__(self, rings: Rings, block: int) -> None:
        self._rings = rings
        self._block = block
        self._known: dict[TopicPartition, Partition] = {}

    def start(self, partition: TopicPartition, commit: Commit | None) -> int | None:
        """A partition without sensors; returns where it is to be read from, None for the commit itself."""
        found = self._known[partition] = Partition()
        rewind = read_rewind(commit.metadata) if commit is not None else None
        if commit is None or rewind is None:
            return None
        # What follows the commit reaches no further, whatever the text says: it may be of other settings.
        rewind = max(rewind, reach(commit.offset, self._block))
        found.rewind, found.committed = min(rewind, commit.offset), commit.offset
        return found.rewind

    def drop(self, partitions: Iterable[TopicPartition]) -> Int64:
        """Forgets partitions; returns the rows of their sensors."""
        rows = [row for partition in partitions if partition in self._known for row in self._pop(partition)]
        return np.array(rows, np.int64)

    def _pop(self, partition: TopicPartition) -> Collection[int]:
        return self._known.pop(partition).rows.values()

    def rows_of(self, name: TopicPartition, keys: Sequence[bytes]) -> Int64:
        """The row of each reading's sensor, -1 where it is new and there is no room."""
        partition = self._find(name)
        rows = partition.rows
        try:
            return np.fromiter(map(rows.__getitem__, keys), np.int64, len(keys))
        except KeyError:
            return np.array([rows[key] if key in rows else self._new(partition, key) for key in keys], np.int64)

    def _new(self, partition: Partition, key: bytes) -> int:
        row = self._rings.take()
        if row is None:
            return -1
        partition.rows[key] = row
        return row

    def passed(self, name: TopicPartition, offset: int) -> bool:
        """All up to an offset was taken in; returns whether a new block began with it."""
        partition = self._find(name)
        entered = offset // self._block != (partition.position - 1) // self._block
        partition.position = offset + 1
        return entered

    def _find(self, name: TopicPartition) -> Partition:
        if name not in self._known:
            self.start(name, None)
        return self._known[name]

    def let_go(self) -> Int64:
        """Forgets sensors of which the next reading starts a window anew, whatever it is; returns their rows."""
        gone = []
        for partition in self._known.values():
            rows = np.fromiter(partition.rows.values(), np.int64, len(partition.rows))
            # A sensor that is new has no last record yet.
            last = self._rings.last[rows]
            dead = (last < reach(partition.position, self._block)) & (last >= 0)
            if dead.any():
                gone.append(rows[dead])
                names = list(partition.rows)
                for at in np.flatnonzero(dead).tolist():
                    del partition.rows[names[at]]
        return np.concatenate(gone) if gone else np.empty(0, np.int64)

    def memory(self, partitions: Collection[TopicPartition]) -> Mapping[TopicPartition, str]:
        """What to commit beside the position of each partition that was read from."""
        texts = {}
        for name in partitions:
            found = self._known.get(name)
            if found is None:
                continue
            if found.position < found.committed and found.rewind is not None:
                texts[name] = rewind_text(found.rewind)
            elif found.position:
                texts[name] = rewind_text(self._oldest(found))
        return texts

    def _oldest(self, partition: Partition) -> int:
        """From where a replay gives the windows as they are: any offset up to the lowest that one holds does."""
        if partition.position >= partition.due_at:
            rows = np.fromiter(partition.rows.values(), np.int64, len(partition.rows))
            lowest = int(self._rings.oldest[rows].min()) if len(rows) else partition.position
            partition.oldest = min(lowest, partition.position)
            # So that this costs a reading no more than a step of its own.
            partition.due_at = partition.position + len(rows)
        return max(partition.oldest, reach(partition.position, self._block))
