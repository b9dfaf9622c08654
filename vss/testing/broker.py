"""Kafka's twin in memory: topics, groups, transactions, and faults on demand.

It keeps what the fleet relies on (order within a partition, one owner a partition and group, atomic transactions,
fencing of members that are gone) and leaves out what it does not (replication, retention, the wire). One contract suite
holds the twin and the real adapters to the same behaviour.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field

from confluent_kafka import murmur2

from vss.clock import Clock
from vss.schemas.envelope import Commit, Message, Record, TopicPartition
from vss.testing.clock import ManualClock


@dataclass(frozen=True, slots=True)
class GroupToken:
    """What proves membership to a transaction.

    Attributes:
        epoch: The rebalance after which it was given out; one of before is refused, as by Kafka.
    """

    group: str
    member: int
    epoch: int = 0


@dataclass(slots=True)
class _Group:
    members: dict[int, frozenset[str]] = field(default_factory=dict)
    epochs: dict[int, int] = field(default_factory=dict)
    owners: dict[TopicPartition, int] = field(default_factory=dict)
    committed: dict[TopicPartition, Commit] = field(default_factory=dict)


class InMemoryBroker:
    """Topics and consumer groups.

    Single-threaded: whoever calls is the only one. A loop on it needs an executor that runs on the caller's thread,
    such as `vss.testing.InlineExecutor`.

    Args:
        topics: Partitions of each topic.
        clock: Gives records their timestamps.
    """

    def __init__(self, topics: Mapping[str, int], clock: Clock | None = None) -> None:
        self.clock: Clock = clock if clock is not None else ManualClock()
        self._logs: dict[TopicPartition, list[Record]] = {
            TopicPartition(topic, i): [] for topic, partitions in topics.items() for i in range(partitions)
        }
        # Where each begins; what lies below was deleted.
        self._begins: dict[TopicPartition, int] = {}
        self._groups: dict[str, _Group] = {}
        self._members = 0

    # Topics.

    def create(self, topic: str, partitions: int) -> None:
        """Makes a further topic."""
        self._logs.update({TopicPartition(topic, i): [] for i in range(partitions)})

    def has_topic(self, topic: str) -> bool:
        """Whether the topic was made."""
        return self._partitions(topic) > 0

    def append(self, message: Message, partition: int | None = None) -> Record:
        """Writes one record; its partition follows from the key as a Java client would have it."""
        if partition is None:
            partition = murmur2(message.key or b"", self._partitions(message.topic))
        log = self._logs[TopicPartition(message.topic, partition)]
        record = Record(
            topic=message.topic,
            partition=partition,
            offset=self.begin(TopicPartition(message.topic, partition)) + len(log),
            key=message.key,
            value=message.value,
            headers=message.headers,
            timestamp_ms=self.clock.now_ns() // 1_000_000,
        )
        log.append(record)
        return record

    def records(self, topic: str) -> list[Record]:
        """Everything in a topic, partition by partition."""
        return [
            record for partition in sorted(self._logs) if partition.topic == topic for record in self._logs[partition]
        ]

    def read(self, partition: TopicPartition, offset: int, limit: int) -> list[Record]:
        """At most `limit` records from an offset, or from the first where that is gone."""
        place = max(0, offset - self.begin(partition))
        return self._logs[partition][place : place + limit]

    def begin(self, partition: TopicPartition) -> int:
        """The offset of the first record, were there one."""
        return self._begins.get(partition, 0)

    def trim(self, partition: TopicPartition, before: int) -> None:
        """Deletes the records below an offset, as retention does."""
        begin = self.begin(partition)
        if before > begin:
            del self._logs[partition][: before - begin]
            self._begins[partition] = before

    def end(self, partition: TopicPartition) -> int:
        """The offset the next record will get."""
        return self.begin(partition) + len(self._logs[partition])

    def _partitions(self, topic: str) -> int:
        return sum(partition.topic == topic for partition in self._logs)

    # Groups.

    def join(self, group: str, topics: Collection[str]) -> int:
        """A new member."""
        self._members += 1
        state = self._groups.setdefault(group, _Group())
        state.members[self._members] = frozenset(topics)
        state.epochs[self._members] = 0
        return self._members

    def leave(self, group: str, member: int) -> None:
        """A member goes or is thrown out; what it owned is free at once."""
        state = self._groups[group]
        state.members.pop(member, None)
        state.epochs.pop(member, None)
        state.owners = {partition: owner for partition, owner in state.owners.items() if owner != member}

    def token(self, group: str, member: int) -> GroupToken:
        """What proves membership as it is now."""
        return GroupToken(group, member, self._groups[group].epochs.get(member, -1) if group in self._groups else -1)

    def is_member(self, group: str, member: int) -> bool:
        """Whether the group still knows this member."""
        return group in self._groups and member in self._groups[group].members

    def owner(self, group: str, partition: TopicPartition) -> int | None:
        """The member that holds a partition now."""
        return self._groups[group].owners.get(partition)

    def target(self, group: str, member: int) -> frozenset[TopicPartition]:
        """What the member should own: partitions dealt out in turn, in the order of joining."""
        state = self._groups[group]
        mine: set[TopicPartition] = set()
        for topic in sorted({topic for topics in state.members.values() for topic in topics}):
            takers = [m for m in sorted(state.members) if topic in state.members[m]]
            partitions = sorted(p for p in self._logs if p.topic == topic)
            mine.update(p for i, p in enumerate(partitions) if takers[i % len(takers)] == member)
        return frozenset(mine)

    def claim(self, group: str, member: int) -> frozenset[TopicPartition]:
        """Takes those partitions of the target that nobody owns any more."""
        owners = self._groups[group].owners
        free = frozenset(p for p in self.target(group, member) if p not in owners)
        owners.update(dict.fromkeys(free, member))
        if free:
            self._groups[group].epochs[member] += 1
        return free

    def release(self, group: str, member: int, partitions: Collection[TopicPartition]) -> None:
        """Gives partitions back."""
        state = self._groups[group]
        for partition in partitions:
            if state.owners.get(partition) == member:
                del state.owners[partition]
        state.epochs[member] += 1

    def committed(self, group: str, partitions: Collection[TopicPartition]) -> dict[TopicPartition, Commit | None]:
        """What the group committed."""
        state = self._groups.setdefault(group, _Group())
        return {p: state.committed.get(p) for p in partitions}

    def transact(
        self, messages: Sequence[Message], commits: Mapping[TopicPartition, Commit], token: GroupToken
    ) -> bool:
        """Writes all or, when the member is gone or its partitions have changed, nothing; returns which."""
        if not self.is_member(token.group, token.member) or token != self.token(token.group, token.member):
            return False
        for message in messages:
            self.append(message)
        self._groups[token.group].committed.update(commits)
        return True
