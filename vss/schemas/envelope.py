"""What a room hands to the next: records read from Kafka, messages to write, and the outcome of each record."""

from __future__ import annotations

import enum
from dataclasses import dataclass
from typing import Any, NamedTuple, Self

Headers = tuple[tuple[str, bytes | None], ...]
"""Kafka headers as they are: ordered, names may repeat, a value may be null."""


class TopicPartition(NamedTuple):
    """One partition of a topic. A tuple, for it is hashed and compared for every record."""

    topic: str
    partition: int


@dataclass(frozen=True, slots=True)
class Commit:
    """A position to keep: the next offset to read, and what the reader wants to remember with it.

    Attributes:
        offset: The first offset that has no durable outcome yet.
        metadata: Free text of at most 4,096 bytes that Kafka stores beside the offset.
    """

    offset: int
    metadata: str = ""


class _Record(NamedTuple):
    topic_partition: TopicPartition
    offset: int
    key: bytes | None
    value: bytes | None
    headers: Headers = ()
    timestamp_ms: int = 0


class Record(_Record):
    """One record as it was read. A tuple, for there are hundreds of thousands a second.

    A source that makes many calls `_make` with the fields of `_Record`; records of a partition then share its object.

    Attributes:
        topic_partition: Where the record lies.
        timestamp_ms: Kafka's own timestamp, milliseconds since the epoch; 0 when the record has none.
    """

    __slots__ = ()

    def __new__(
        cls,
        topic: str,
        partition: int,
        offset: int,
        key: bytes | None,
        value: bytes | None,
        headers: Headers = (),
        timestamp_ms: int = 0,
    ) -> Self:
        """A record by itself, as tests make it."""
        return cls._make((TopicPartition(topic, partition), offset, key, value, headers, timestamp_ms))

    @property
    def topic(self) -> str:
        """The topic that it was read from."""
        return self.topic_partition.topic

    @property
    def partition(self) -> int:
        """The partition that it was read from."""
        return self.topic_partition.partition

    @property
    def size_bytes(self) -> int:
        """Size of key and value."""
        return len(self.key or b"") + len(self.value or b"")

    def __getnewargs__(self) -> tuple[Any, ...]:
        # What copies are made with.
        return (*self.topic_partition, *self[1:])


@dataclass(frozen=True, slots=True)
class Message:
    """One record to write. The partition follows from the key (murmur2, as in Kafka's Java client)."""

    topic: str
    key: bytes | None
    value: bytes | None
    headers: Headers = ()


class OutcomeKind(enum.StrEnum):
    """What became of a record."""

    EVENT = "event"
    """A result was made and goes to a result topic."""
    SHED = "shed"
    """The record was left out on purpose; a note says why."""
    TAKEN = "taken"
    """A reading was taken into its sensor's window; the next event of the sensor names that window."""
    DEAD_LETTER = "dead_letter"
    """The record cannot be processed; it goes to the dead-letter topic as it came."""
    VIEW = "view"
    """The record was taken into a view outside Kafka (Redis)."""


@dataclass(frozen=True, slots=True)
class Outcome:
    """The one outcome of a record: what is written for it in the transaction that commits its offset.

    Attributes:
        captured_ns: When the input was captured, nanoseconds since the epoch; None when unknown. The loop measures the
            age of what it emits with it.
    """

    kind: OutcomeKind
    messages: tuple[Message, ...] = ()
    captured_ns: int | None = None
