"""The ports to Kafka (`vss.streams.ports`), on the in-memory broker."""

from __future__ import annotations

import threading
from collections import deque
from collections.abc import Callable, Collection, Mapping, Sequence

from vss.errors import ConfigError, StreamError, TransactionAborted
from vss.schemas.envelope import Commit, Message, Record, TopicPartition
from vss.streams.ports import RebalanceListener
from vss.testing.broker import GroupToken, InMemoryBroker

_NEVER = threading.Event()


class InMemorySource:
    """A group member. Rebalances happen inside `poll`, as with the real one.

    Args:
        broker: The topics.
        group: Consumer group.
        start_at: `earliest` or `latest`, for partitions the group never committed.
    """

    def __init__(self, broker: InMemoryBroker, *, group: str, start_at: str = "earliest") -> None:
        self._broker = broker
        self._group = group
        self._start_at = start_at
        self._topics: tuple[str, ...] = ()
        self._listener: RebalanceListener | None = None
        self._member = -1
        self._positions: dict[TopicPartition, int] = {}
        # Of each partition held, where it starts for a group without commits.
        self._begins: dict[TopicPartition, int] = {}
        self._paused: set[TopicPartition] = set()
        self._crashed = False
        self._closed = False
        self._rebalancing = False

    def subscribe(self, topics: Sequence[str], listener: RebalanceListener) -> None:
        """See `Source.subscribe`."""
        for topic in topics:
            if not self._broker.has_topic(topic):
                raise ConfigError(f"there is no topic {topic}", fix="create the topics: vss topics create")
        self._topics = tuple(topics)
        self._listener = listener
        self._member = self._broker.join(self._group, topics)

    def poll(self, max_records: int, timeout_s: float) -> list[Record]:
        """See `Source.poll`."""
        if self._rebalancing:
            raise RuntimeError("polled from inside a rebalance callback, which Kafka's client does not allow")
        self._rebalancing = True
        try:
            self._rebalance()
        finally:
            self._rebalancing = False
        records: list[Record] = []
        for partition in sorted(self._positions.keys() - self._paused):
            found = self._broker.read(partition, self._positions[partition], max_records - len(records))
            if found:
                self._positions[partition] = found[-1].offset + 1
                records += found
        if not records:
            self._broker.clock.wait(_NEVER, timeout_s)
        return records

    def committed(self, partitions: Collection[TopicPartition]) -> Mapping[TopicPartition, Commit | None]:
        """See `Source.committed`."""
        return self._broker.committed(self._group, partitions)

    def seek(self, partition: TopicPartition, offset: int | None) -> None:
        """See `Source.seek`."""
        if partition not in self._positions:
            raise StreamError(f"{partition.topic}[{partition.partition}] is not assigned")
        target = self._begins[partition] if offset is None else offset
        self._positions[partition] = max(target, self._broker.begin(partition))

    def pause(self, partitions: Collection[TopicPartition]) -> None:
        """See `Source.pause`."""
        self._paused.update(self._positions.keys() & set(partitions))

    def resume(self, partitions: Collection[TopicPartition]) -> None:
        """See `Source.resume`."""
        self._paused.difference_update(partitions)

    def assignment(self) -> frozenset[TopicPartition]:
        """See `Source.assignment`."""
        return frozenset(self._positions)

    def group(self) -> object:
        """See `Source.group`."""
        return self._broker.token(self._group, self._member)

    def lag(self) -> Mapping[TopicPartition, int]:
        """See `Source.lag`."""
        return {p: max(0, self._broker.end(p) - position) for p, position in self._positions.items()}

    def close(self) -> None:
        """See `Source.close`."""
        if self._closed or self._crashed or self._listener is None:
            return
        self._closed = True
        try:
            if self._broker.is_member(self._group, self._member):
                self._revoke(self._positions.keys())
            else:
                self._lose()
        finally:
            self._broker.leave(self._group, self._member)

    def crash(self) -> None:
        """The process is gone: no callback, no last commit; the group notices."""
        self._crashed = True
        self._broker.leave(self._group, self._member)

    def expel(self) -> None:
        """The group gives up on this member, which finds out at its next poll (as after a session timeout)."""
        self._broker.leave(self._group, self._member)

    def _rebalance(self) -> None:
        assert self._listener is not None  # noqa: S101 - subscribe comes first
        if not self._broker.is_member(self._group, self._member):
            self._lose()
            self._member = self._broker.join(self._group, self._topics)
        self._revoke(self._positions.keys() - self._broker.target(self._group, self._member))
        if arrived := self._broker.claim(self._group, self._member):
            committed = self._within(self._broker.committed(self._group, arrived))
            starts = self._listener.on_assigned(committed)
            for partition, commit in committed.items():
                self._begins[partition] = self._start(partition)
                fallback = commit.offset if commit is not None else self._begins[partition]
                self._positions[partition] = max(starts.get(partition, fallback), self._broker.begin(partition))

    def _within(self, committed: Mapping[TopicPartition, Commit | None]) -> dict[TopicPartition, Commit | None]:
        """Commits that retention has overtaken move to what is left."""
        return {
            partition: Commit(max(commit.offset, self._broker.begin(partition)), commit.metadata) if commit else None
            for partition, commit in committed.items()
        }

    def _lose(self) -> None:
        if lost := sorted(self._positions):
            assert self._listener is not None  # noqa: S101 - subscribe comes first
            self._drop(lost)
            self._listener.on_lost(lost)

    def _revoke(self, partitions: Collection[TopicPartition]) -> None:
        if going := sorted(partitions):
            assert self._listener is not None  # noqa: S101 - subscribe comes first
            try:
                self._listener.on_revoked(going)
            finally:
                self._drop(going)
                if self._broker.is_member(self._group, self._member):
                    self._broker.release(self._group, self._member, going)

    def _drop(self, partitions: Collection[TopicPartition]) -> None:
        for partition in partitions:
            del self._positions[partition], self._begins[partition]
            self._paused.discard(partition)

    def _start(self, partition: TopicPartition) -> int:
        return self._broker.begin(partition) if self._start_at == "earliest" else self._broker.end(partition)


class InMemorySink:
    """Transactions on the in-memory broker.

    Attributes:
        failures: Errors of the next transactions, in order. None passes one. With `after_commit` an error is raised
            although the transaction is durable, as when the broker's answer is lost.
    """

    def __init__(self, broker: InMemoryBroker) -> None:
        self._broker = broker
        self.failures: list[Exception | None] = []
        self.after_commit = False
        self._closed = False

    def transact(self, messages: Sequence[Message], commits: Mapping[TopicPartition, Commit], group: object) -> None:
        """See `Sink.transact`."""
        if self._closed:
            raise TransactionAborted("the sink is closed")
        failure = self.failures.pop(0) if self.failures else None
        if failure is not None and not self.after_commit:
            raise failure
        assert isinstance(group, GroupToken)  # noqa: S101 - tokens of another broker are a mistake in the test
        if not self._broker.transact(messages, commits, group):
            raise TransactionAborted("the group does not know this member any more")
        if failure is not None:
            raise failure

    def close(self) -> None:
        """See `Sink.close`."""
        self._closed = True


class InMemoryPublisher:
    """Single messages into the in-memory broker.

    Attributes:
        room: How many more messages its queue takes; None is endless.
    """

    def __init__(self, broker: InMemoryBroker) -> None:
        self._broker = broker
        self._delivered: deque[Callable[[Exception | None], None]] = deque()
        self.room: int | None = None

    def publish(self, message: Message, on_delivery: Callable[[Exception | None], None] | None = None) -> bool:
        """See `Publisher.publish`."""
        if self.room is not None:
            if self.room <= 0:
                return False
            self.room -= 1
        self._broker.append(message)
        if on_delivery is not None:
            self._delivered.append(on_delivery)
        return True

    def poll(self, timeout_s: float = 0.0) -> None:
        """See `Publisher.poll`."""
        while self._delivered:
            self._delivered.popleft()(None)

    def flush(self, timeout_s: float) -> int:
        """See `Publisher.flush`."""
        self.poll()
        return 0

    def close(self) -> None:
        """See `Publisher.close`."""
        self.flush(0.0)
