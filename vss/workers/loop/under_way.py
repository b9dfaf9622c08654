"""What the loop holds between reading a record and the transaction that makes its outcome durable."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from concurrent.futures import Future
from dataclasses import dataclass
from itertools import islice

from vss.schemas.envelope import Commit, Outcome, Record, TopicPartition
from vss.streams.runs import Run
from vss.workers.loop.step import Pending


@dataclass(frozen=True, slots=True)
class Batch:
    """A micro-batch under way.

    Attributes:
        runs: What was polled.
        notes: The notes of records that were shed, by their place among what was polled.
        for_step: The records that the step works on: all others, in their order.
        pending: The step's work.
        terms: Each partition's term when the batch was read (see `Checkpoint`).
        memory: What to commit beside each partition's offset once the batch has its outcomes (see `KeyedState`).
    """

    runs: list[Run]
    notes: Mapping[int, Outcome]
    for_step: list[Record]
    pending: Pending
    terms: Mapping[TopicPartition, int]
    memory: Mapping[TopicPartition, str]

    def settled(self, made: list[Outcome]) -> Iterator[tuple[Run, list[Outcome]]]:
        """Each run with its outcomes.

        Args:
            made: Those of `for_step`.
        """
        outcomes = iter(self._with_notes(made) if self.notes else made)
        for run in self.runs:
            yield run, list(islice(outcomes, len(run.records)))

    def _with_notes(self, made: list[Outcome]) -> Iterator[Outcome]:
        rest = iter(made)
        for place in range(len(made) + len(self.notes)):
            note = self.notes.get(place)
            yield note if note is not None else next(rest)


@dataclass(frozen=True, slots=True)
class Settled:
    """Outcomes of what a partition held in these terms, waiting for the next transaction."""

    partition: TopicPartition
    outcomes: list[Outcome]
    terms: Mapping[TopicPartition, int]


@dataclass(frozen=True, slots=True)
class Transaction:
    """One that runs beside the loop: what it commits, staged in these terms."""

    commits: dict[TopicPartition, Commit]
    terms: Mapping[TopicPartition, int]
    future: Future[None]
