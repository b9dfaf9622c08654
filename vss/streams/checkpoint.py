"""Which records are read, which have an outcome, which outcomes are durable.

A partition has three positions, each the offset of the next record:

    committed ≤ staged ≤ working

working    moves when a record is taken from the source,
staged     moves when its outcome joins the next transaction,
committed  moves when that transaction is durable.

A new owner of keyed state begins below the commit, to rebuild that state: what lies there has its outcome already.

A partition that goes away takes its positions with it: what was read of it before can no longer be staged, even when
the same partition comes back later, for then it has a new term. The same is true of everything read before `abandon`.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass
from operator import lt

from vss.schemas.envelope import Commit, Record, TopicPartition
from vss.streams.runs import Run, runs_of

# Before the first offset: where a term begins is the source's to say, and a log that was cut may begin anywhere.
_ANYWHERE = -1


@dataclass(slots=True)
class _Positions:
    """One partition's.

    Attributes:
        working: None after `abandon`: nothing is taken before reading starts anew.
        settled: What lies below has its outcome.
        memory: What is committed beside `staged`.
    """

    term: int
    working: int | None = _ANYWHERE
    settled: int = 0
    staged: int | None = None
    memory: str = ""


class Checkpoint:
    """The positions of one worker. Belongs to the loop's thread."""

    def __init__(self) -> None:
        self._positions: dict[TopicPartition, _Positions] = {}
        self._term = 0

    def assign(self, committed: Mapping[TopicPartition, Commit | None]) -> None:
        """Reading of these partitions starts, or starts anew; a new term begins for each.

        Args:
            committed: Where the outcomes of each end.
        """
        self._term += 1
        for partition, commit in committed.items():
            self._positions[partition] = _Positions(self._term, settled=commit.offset if commit is not None else 0)

    def forget(self, partitions: Collection[TopicPartition]) -> None:
        """Partitions go."""
        for partition in partitions:
            self._positions.pop(partition, None)

    def abandon(self) -> None:
        """Nothing that was read and is not committed counts any more: it will be read again.

        Until `assign`, the source stands behind what was abandoned: to take the next record there would skip it.
        """
        self._term += 1
        for partition in self._positions:
            self._positions[partition] = _Positions(self._term, working=None)

    def take(self, records: Iterable[Record]) -> list[Run]:
        """Moves `working` over records; leaves out those of partitions not held and those already taken.

        The client may hand out a record once more around a rebalance; its second outcome would be a double.
        """
        taken = []
        for partition, run in runs_of(records):
            positions = self._positions.get(partition)
            if positions is None or positions.working is None:
                continue
            fresh = _ascending(run, positions.working)
            if fresh:
                positions.working = fresh[-1].offset + 1
                taken.append(Run(partition, fresh))
        return taken

    def settled(self, partition: TopicPartition) -> int:
        """Below this offset, records of a partition that is held have their outcome, and are read again for state."""
        return self._positions[partition].settled

    def idle(self) -> dict[TopicPartition, int]:
        """The offset to commit for partitions of which all that was taken has its outcome, if anything ever had."""
        found = {}
        for partition, positions in self._positions.items():
            if positions.working is not None and (offset := max(positions.working, positions.settled)) > 0:
                found[partition] = offset
        return found

    def terms(self, partitions: Collection[TopicPartition]) -> dict[TopicPartition, int]:
        """The current term of partitions held, to be kept with what was read of them."""
        return {partition: self._positions[partition].term for partition in partitions}

    def holds(self, partition: TopicPartition, terms: Mapping[TopicPartition, int]) -> bool:
        """Whether outcomes read in that term may still be committed."""
        positions = self._positions.get(partition)
        return positions is not None and positions.term == terms[partition]

    def stage(self, partition: TopicPartition, offset: int, memory: str = "") -> None:
        """Moves `staged` of a partition that is held.

        Args:
            partition: Which.
            offset: What lies below has its outcome.
            memory: What to commit beside the offset.
        """
        positions = self._positions[partition]
        positions.staged, positions.memory = offset, memory

    def staged(self) -> dict[TopicPartition, Commit]:
        """The commits that the next transaction must hold."""
        return {
            partition: Commit(positions.staged, positions.memory)
            for partition, positions in self._positions.items()
            if positions.staged is not None
        }

    def commit(self, commits: Mapping[TopicPartition, Commit], terms: Mapping[TopicPartition, int]) -> None:
        """A transaction with these commits, staged in these terms, is durable."""
        for partition, commit in commits.items():
            if self.holds(partition, terms):
                positions = self._positions[partition]
                if (positions.staged, positions.memory) == (commit.offset, commit.metadata):
                    positions.staged = None

    def partitions(self) -> frozenset[TopicPartition]:
        """The partitions held."""
        return frozenset(self._positions)


def _ascending(records: list[Record], first: int) -> list[Record]:
    """Those at `first` or later that lie behind all before them."""
    offsets = [record.offset for record in records]
    if offsets[0] >= first and all(map(lt, offsets, offsets[1:])):
        return records
    kept = []
    for record in records:
        if record.offset >= first:
            kept.append(record)
            first = record.offset + 1
    return kept
