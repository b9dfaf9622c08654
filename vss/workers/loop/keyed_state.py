"""State that a step keeps by key, and how it survives a hand-over: it follows from the log.

A step with such state takes records into it in `begin`. With every commit goes a text (Kafka stores it beside the
offset) that says how far back a new owner must read to have the same state. Records from there up to the commit have
their outcome already: they are handed to `rebuild` and nothing is emitted for them.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from typing import Protocol

from vss.schemas.envelope import Commit, Message, Record, TopicPartition


@dataclass(frozen=True, slots=True)
class Timed:
    """What time alone brings about, such as a sensor that fell silent.

    Attributes:
        partition: Where what fell silent was read from.
        message: What is written, in a transaction with that partition's commit.
    """

    partition: TopicPartition
    message: Message


class KeyedState(Protocol):
    """A step's state by key. Every method is called on the loop's thread."""

    def start(self, partition: TopicPartition, commit: Commit | None) -> int | None:
        """A partition arrives, or is read anew: whatever is held of it is dropped.

        Args:
            partition: Which.
            commit: Where its outcomes end; None where the group never committed.

        Returns:
            The offset to rebuild from, at most the commit's; None for nothing to rebuild.
        """

    def rebuild(self, records: Sequence[Record]) -> None:
        """Takes records in that have their outcome already. Raises nothing: what could not be taken was no state."""

    def memory(self, partitions: Collection[TopicPartition]) -> Mapping[TopicPartition, str]:
        """For each partition, the text to commit with what has been taken in so far; at most 4,096 bytes."""

    def timed(self, now_ns: int) -> Sequence[Timed]:
        """What is due by now without any record. Asked when all that was read has its outcome.

        What is returned counts as said: `memory` must tell a new owner so.
        """

    def forget(self, partitions: Collection[TopicPartition]) -> None:
        """Partitions are gone."""


class NoState:
    """Of steps that keep nothing (see `KeyedState`)."""

    def start(self, partition: TopicPartition, commit: Commit | None) -> int | None:
        """See `KeyedState.start`."""
        return None

    def rebuild(self, records: Sequence[Record]) -> None:
        """See `KeyedState.rebuild`."""

    def memory(self, partitions: Collection[TopicPartition]) -> Mapping[TopicPartition, str]:
        """See `KeyedState.memory`."""
        return {}

    def timed(self, now_ns: int) -> Sequence[Timed]:
        """See `KeyedState.timed`."""
        return ()

    def forget(self, partitions: Collection[TopicPartition]) -> None:
        """See `KeyedState.forget`."""
