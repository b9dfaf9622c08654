"""Keeps a step's state and the loop's positions in agreement."""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Collection, Mapping, Sequence
from operator import attrgetter
from typing import Final

from vss.schemas.envelope import Commit, Outcome, OutcomeKind, TopicPartition
from vss.streams.checkpoint import Checkpoint
from vss.streams.runs import Run
from vss.workers.loop.keyed_state import KeyedState, NoState
from vss.workers.loop.under_way import Settled

_OFFSET: Final = attrgetter("offset")


class StateKeeper:
    """What the loop does for a step's state. Belongs to the loop's thread.

    Args:
        state: What the step keeps by key; None for one that keeps nothing.
        checkpoint: The loop's positions.

    Attributes:
        keeps: Whether the step keeps any.
    """

    def __init__(self, state: KeyedState | None, checkpoint: Checkpoint) -> None:
        self._state: KeyedState = state if state is not None else NoState()
        self._checkpoint = checkpoint
        self.keeps = state is not None

    def start(self, committed: Mapping[TopicPartition, Commit | None]) -> dict[TopicPartition, int]:
        """Reading of partitions starts, or starts anew; returns where, for those that do not start at their commit."""
        self._checkpoint.assign(committed)
        starts = {partition: self._state.start(partition, commit) for partition, commit in committed.items()}
        return {partition: start for partition, start in starts.items() if start is not None}

    def forget(self, partitions: Collection[TopicPartition]) -> None:
        """Partitions are gone."""
        self._checkpoint.forget(partitions)
        self._state.forget(partitions)

    def rebuild(self, taken: list[Run]) -> list[Run]:
        """Hands what has its outcome already to the state; returns the rest."""
        if all(run.records[0].offset >= self._checkpoint.settled(run.partition) for run in taken):
            return taken
        known, rest = [], []
        for run in taken:
            settled = self._checkpoint.settled(run.partition)
            count = bisect_left(run.records, settled, key=_OFFSET)
            known += run.records[:count]
            if count < len(run.records):
                rest.append(Run(run.partition, run.records[count:]))
        self._state.rebuild(known)
        return rest

    def memory(self, partitions: Collection[TopicPartition]) -> Mapping[TopicPartition, str]:
        """What to commit beside each partition's offset for all that was taken in so far."""
        return self._state.memory(partitions)

    def timed(self, now_ns: int) -> Sequence[Settled]:
        """What time alone brings about, staged; asked once everything that was read has its outcome."""
        due = self._state.timed(now_ns)
        if not due:
            return ()
        offsets = self._checkpoint.idle()
        partitions = {timed.partition for timed in due}
        terms, memory = self._checkpoint.terms(partitions), self._state.memory(partitions)
        for partition in partitions:
            self._checkpoint.stage(partition, offsets[partition], memory.get(partition, ""))
        return [Settled(timed.partition, [Outcome(OutcomeKind.EVENT, (timed.message,))], terms) for timed in due]
