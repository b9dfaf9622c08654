"""What the loop holds between reading a record and the transaction that makes its outcome durable."""

from __future__ import annotations

from collections.abc import Mapping
from concurrent.futures import Future
from dataclasses import dataclass

from vss.schemas.envelope import Commit, Outcome, Record, TopicPartition
from vss.workers.loop.step import Pending


@dataclass(frozen=True, slots=True)
class Batch:
    """A micro-batch under way.

    Attributes:
        records: What was polled.
        notes: For each record the note of its shedding, or None where the step works on it.
        pending: The step's work.
        terms: Each partition's term when the batch was read (see `Checkpoint`).
        memory: What to commit beside each partition's offset once the batch has its outcomes (see `KeyedState`).
    """

    records: list[Record]
    notes: list[Outcome | None]
    pending: Pending
    terms: Mapping[TopicPartition, int]
    memory: Mapping[TopicPartition, str]

    def for_step(self) -> list[Record]:
        """The records that the step works on."""
        return [record for record, note in zip(self.records, self.notes, strict=True) if note is None]


@dataclass(frozen=True, slots=True)
class Settled:
    """An outcome of what a partition held in these terms, waiting for the next transaction."""

    partition: TopicPartition
    outcome: Outcome
    terms: Mapping[TopicPartition, int]


@dataclass(frozen=True, slots=True)
class Transaction:
    """One that runs beside the loop: what it commits, staged in these terms."""

    commits: dict[TopicPartition, Commit]
    terms: Mapping[TopicPartition, int]
    future: Future[None]
