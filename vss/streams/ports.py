"""The two ports between the fleet and Kafka, and who calls what on which thread.

`Source` and `Sink` have two implementations that pass one contract suite: the Kafka adapters (`kafka_source.py`,
`kafka_sink.py`) and the in-memory twin in `vss.testing`.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping, Sequence
from typing import Protocol

from vss.schemas.envelope import Commit, Message, Record, TopicPartition


class RebalanceListener(Protocol):
    """Told about partitions that come and go. Called inside `Source.poll` and `Source.close`, on the polling thread."""

    def on_assigned(self, committed: Mapping[TopicPartition, Commit | None]) -> Mapping[TopicPartition, int]:
        """Partitions arrive.

        Args:
            committed: The last commit of each new partition; None where the group never committed.

        Returns:
            The offset to start from, for those partitions that shall not start at their committed offset; where it is
            gone, the log's first.
        """

    def on_revoked(self, partitions: Collection[TopicPartition]) -> None:
        """Partitions will go when this returns: the last chance to commit their work. May block for seconds."""

    def on_lost(self, partitions: Collection[TopicPartition]) -> None:
        """Partitions are gone, another member may have them already: their work cannot be committed any more."""


class Source(Protocol):
    """Reads topics as a member of a consumer group. Every method belongs to one thread, but `group`."""

    def subscribe(self, topics: Sequence[str], listener: RebalanceListener) -> None:
        """Joins the group. Partitions arrive in a later `poll`.

        Raises:
            ConfigError: There is no such topic, or this user does not see it.
            BrokerUnavailable: No broker answers.
        """

    def poll(self, max_records: int, timeout_s: float) -> list[Record]:
        """Returns what is there: waits for a first record at most `timeout_s`, never for a full batch.

        Records of a partition come in offset order. No record is returned of a partition that is not assigned. When it
        raises, records may have been passed over: `seek` back to the commits.

        Raises:
            ConfigError: There is no such topic, or this user may not read it.
            Fenced: The group no longer knows this member and cannot take it back.
            Exception: What a `RebalanceListener` raised.
        """

    def committed(self, partitions: Collection[TopicPartition]) -> Mapping[TopicPartition, Commit | None]:
        """What the group has committed, asked of the broker; None where it never did.

        A transaction that is still open on a partition is waited for, for a moment.

        Raises:
            BrokerUnavailable: No broker answers in time, or such a transaction has not ended; ask again.
            TransactionAborted: The group does not know this member any more; the next `poll` says so.
        """

    def seek(self, partition: TopicPartition, offset: int | None) -> None:
        """The next record is the one at `offset`, or the log's first where that is gone.

        Args:
            partition: Must be assigned.
            offset: None: where this partition would have started had the group no commits. For `latest` that is the
                end as it was on assignment, so that nothing read since is skipped.

        Raises:
            StreamError: The partition is not assigned.
            BrokerUnavailable: Reading of it has not started yet; seek again.
        """

    def pause(self, partitions: Collection[TopicPartition]) -> None:
        """No record of these is returned until `resume`; membership is kept by calling `poll`."""

    def resume(self, partitions: Collection[TopicPartition]) -> None:
        """Ends `pause`."""

    def assignment(self) -> frozenset[TopicPartition]:
        """The partitions held now."""

    def group(self) -> object:
        """What proves membership to `Sink.transact`. Callable from any thread."""

    def lag(self) -> Mapping[TopicPartition, int]:
        """Offsets between position and end, for each partition whose end is known; asks no broker.

        In a topic that is written in transactions their end marks count too: a reader that has everything may show one.
        """

    def close(self) -> None:
        """Leaves the group; revokes what is held. Idempotent."""


class Sink(Protocol):
    """Writes outcomes and offsets as one transaction. One thread at a time; `close` may be called from another."""

    def transact(self, messages: Sequence[Message], commits: Mapping[TopicPartition, Commit], group: object) -> None:
        """Makes all messages and commits durable and visible, or none. Blocks until that is certain.

        Raises:
            TransactionAborted: The transaction was given up. Ask `Source.committed` before processing records again:
                where the broker's answer was lost, it may have been made durable all the same.
            BrokerUnavailable: The same, for no broker answered in time.
            ConfigError: None is visible, and trying again cannot help.
        """

    def close(self) -> None:
        """Gives up an open transaction and disconnects. Idempotent."""


class Publisher(Protocol):
    """Writes single messages outside transactions: what cameras need. Thread-safe."""

    def publish(self, message: Message, on_delivery: Callable[[Exception | None], None] | None = None) -> bool:
        """Queues a message; returns False, and queues nothing, when the queue is full.

        Args:
            message: What to write.
            on_delivery: Called later, from `poll` or `flush`, with None or why it was not written.
        """

    def poll(self, timeout_s: float = 0.0) -> None:
        """Serves delivery callbacks."""

    def flush(self, timeout_s: float) -> int:
        """Waits for what is queued; returns how many messages still are."""

    def close(self) -> None:
        """Flushes for a moment and disconnects. Idempotent."""
