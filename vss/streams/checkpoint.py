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

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass

from vss.schemas.envelope import Commit, Record, TopicPartition

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

    def take(self, records: Sequence[Record]) -> list[Record]:
        """Moves `working` over records; leaves out those of partitions not held and those already taken.

        The client may hand out a record once more around a rebalance; its second outcome would be a double.
        """
        taken = []
        for record in records:
            positions = self._positions.get(record.topic_partition)
            if positions is not None and positions.working is not None and record.offset >= positions.working:
                positions.working = record.offset + 1
                taken.append(record)
        return taken

    def has_outcome(self, record: Record) -> bool:
        """Whether a record that was taken lies below the commit, and is read again for the state it leaves alone."""
        return record.offset < self._positions[record.topic_partition].settled

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

    def stage(self, record: Record, memory: str = "") -> None:
        """Moves `staged` behind a record whose partition is held.

        Args:
            record: It has its outcome.
            memory: What to commit beside the offset.
        """
        self.stage_at(record.topic_partition, record.offset + 1, memory)

    def stage_at(self, partition: TopicPartition, offset: int, memory: str) -> None:
        """Moves `staged` of a partition that is held; what lies below the offset has its outcome."""
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
