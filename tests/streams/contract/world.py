"""The three Kafkas that one contract is held against: the twin in memory, a real broker with both group protocols."""

from __future__ import annotations

import time
import uuid
from collections.abc import Callable, Collection, Mapping, Sequence
from contextlib import ExitStack
from dataclasses import dataclass, field
from typing import Any, Protocol

from confluent_kafka import Consumer, KafkaError
from confluent_kafka import TopicPartition as KafkaPartition
from confluent_kafka.admin import AdminClient, NewTopic

from vss.config import KafkaSettings
from vss.logs import get_logger
from vss.schemas.envelope import Commit, Message, Record, TopicPartition
from vss.streams.kafka_publisher import KafkaPublisher
from vss.streams.kafka_records import record_of
from vss.streams.kafka_sink import KafkaSink
from vss.streams.kafka_source import KafkaSource
from vss.streams.ports import Publisher, Sink, Source
from vss.testing import InMemoryBroker, InMemoryPublisher, InMemorySink, InMemorySource, ManualClock

PATIENCE_S = 40.0
LOGGER = get_logger("contract")


class World(Protocol):
    """One implementation of the ports, and the means to look behind them."""

    def topic(self, partitions: int) -> str:
        """Makes a topic."""

    def source(self, group: str, start_at: str = "earliest") -> Source:
        """A source that is closed after the test."""

    def sink(self) -> Sink:
        """A sink that is closed after the test."""

    def publisher(self) -> Publisher:
        """A publisher that is closed after the test."""

    def trim(self, partition: TopicPartition, before: int) -> None:
        """Deletes the records of a partition below an offset, as retention does."""

    def visible(self, topic: str) -> list[Record]:
        """What a `read_committed` reader finds, partition by partition."""

    def elapsed_s(self) -> float:
        """The time that waits are measured in."""


class MemoryWorld:
    """The twin."""

    def __init__(self) -> None:
        self._clock = ManualClock()
        self._broker = InMemoryBroker({}, self._clock)

    def topic(self, partitions: int) -> str:
        name = f"topic-{uuid.uuid4().hex}"
        self._broker.create(name, partitions)
        return name

    def source(self, group: str, start_at: str = "earliest") -> Source:
        return InMemorySource(self._broker, group=group, start_at=start_at)

    def sink(self) -> Sink:
        return InMemorySink(self._broker)

    def publisher(self) -> Publisher:
        return InMemoryPublisher(self._broker)

    def trim(self, partition: TopicPartition, before: int) -> None:
        self._broker.trim(partition, before)

    def visible(self, topic: str) -> list[Record]:
        return self._broker.records(topic)

    def elapsed_s(self) -> float:
        return self._clock.monotonic()


class KafkaWorld:
    """A real broker."""

    def __init__(self, bootstrap_servers: str, protocol: str, resources: ExitStack) -> None:
        self._settings = KafkaSettings.model_validate(
            {"bootstrap_servers": bootstrap_servers, "group_protocol": protocol}
        )
        self._resources = resources

    def topic(self, partitions: int) -> str:
        return create_topic(self._settings.bootstrap_servers, partitions)

    def source(self, group: str, start_at: str = "earliest") -> Source:
        source = KafkaSource(self._settings, group=group, logger=LOGGER, start_at=start_at)
        self._resources.callback(source.close)
        return source

    def sink(self) -> Sink:
        sink = KafkaSink(self._settings, transactional_id=f"contract-{uuid.uuid4().hex}", logger=LOGGER)
        self._resources.callback(sink.close)
        return sink

    def publisher(self) -> Publisher:
        publisher = KafkaPublisher(self._settings, logger=LOGGER)
        self._resources.callback(publisher.close)
        return publisher

    def trim(self, partition: TopicPartition, before: int) -> None:
        where = KafkaPartition(partition.topic, partition.partition, before)
        admin = AdminClient({"bootstrap.servers": self._settings.bootstrap_servers})
        admin.delete_records([where])[where].result(PATIENCE_S)

    def visible(self, topic: str) -> list[Record]:
        return read_committed(self._settings.bootstrap_servers, topic)

    def elapsed_s(self) -> float:
        return time.monotonic()


def create_topic(bootstrap_servers: str, partitions: int, name: str | None = None) -> str:
    """Makes a topic, and waits until every partition has a leader."""
    name = name or f"topic-{uuid.uuid4().hex}"
    admin = AdminClient({"bootstrap.servers": bootstrap_servers})
    admin.create_topics([NewTopic(name, partitions, 1, config={"max.message.bytes": str(16 << 20)})])[name].result(
        PATIENCE_S
    )

    def led() -> bool:
        found = admin.list_topics(name, timeout=PATIENCE_S).topics[name].partitions
        return len(found) == partitions and all(p.leader >= 0 for p in found.values())

    wait_until(led)
    return name


def read_committed(bootstrap_servers: str, topic: str) -> list[Record]:
    """Everything in a topic that no open or aborted transaction wrote. Independent of the project's own readers."""
    conf: dict[str, Any] = {
        "bootstrap.servers": bootstrap_servers,
        "group.id": f"reader-{uuid.uuid4().hex}",
        "isolation.level": "read_committed",
        "enable.auto.commit": False,
        "enable.partition.eof": True,
        "auto.offset.reset": "earliest",
    }
    consumer = Consumer(conf)
    try:
        partitions = list(consumer.list_topics(topic, timeout=PATIENCE_S).topics[topic].partitions)
        consumer.assign([KafkaPartition(topic, p, 0) for p in partitions])
        ended: set[int] = set()
        records: list[Record] = []
        deadline = time.monotonic() + PATIENCE_S
        while len(ended) < len(partitions):
            assert time.monotonic() < deadline, f"only partitions {ended} of {topic} could be read to their end"
            for message in consumer.consume(500, 0.1):
                error = message.error()
                if error is None:
                    records.append(record_of(message))
                elif error.code() == KafkaError._PARTITION_EOF:
                    ended.add(message.partition() or 0)
                else:
                    raise AssertionError(error.str())
        return sorted(records, key=lambda record: (record.partition, record.offset))
    finally:
        consumer.close()


def wait_until(condition: Callable[[], bool], *, patience_s: float = PATIENCE_S, pause_s: float = 0.05) -> None:
    """Polls a condition; fails the test when it does not come true."""
    deadline = time.monotonic() + patience_s
    while not condition():
        assert time.monotonic() < deadline, f"not within {patience_s} s: {condition}"
        time.sleep(pause_s)


@dataclass
class Listener:
    """Notes what it is told, in order."""

    name: str = ""
    starts: dict[TopicPartition, int] = field(default_factory=dict)
    committed: dict[TopicPartition, Commit | None] = field(default_factory=dict)
    story: list[tuple[str, str, tuple[TopicPartition, ...]]] = field(default_factory=list)

    def on_assigned(self, committed: Mapping[TopicPartition, Commit | None]) -> Mapping[TopicPartition, int]:
        self.story.append((self.name, "assigned", tuple(sorted(committed))))
        self.committed.update(committed)
        return {partition: offset for partition, offset in self.starts.items() if partition in committed}

    def on_revoked(self, partitions: Collection[TopicPartition]) -> None:
        self.story.append((self.name, "revoked", tuple(sorted(partitions))))

    def on_lost(self, partitions: Collection[TopicPartition]) -> None:
        self.story.append((self.name, "lost", tuple(sorted(partitions))))


def poll_until(
    sources: Source | Sequence[Source], condition: Callable[[], bool], *, max_records: int = 100
) -> list[Record]:
    """Polls sources in turn until a condition is true; returns what they read."""
    members: Sequence[Source] = sources if isinstance(sources, Sequence) else [sources]
    deadline = time.monotonic() + PATIENCE_S
    records: list[Record] = []
    while True:
        for member in members:
            records += member.poll(max_records, 0.05)
        if condition():
            return records
        assert time.monotonic() < deadline, f"not within {PATIENCE_S} s; read {len(records)} records"


def read(source: Source, count: int, *, max_records: int = 100) -> list[Record]:
    """Polls until that many records have come, and never takes more than asked for."""
    deadline = time.monotonic() + PATIENCE_S
    records: list[Record] = []
    while len(records) < count:
        records += source.poll(min(max_records, count - len(records)), 0.05)
        assert time.monotonic() < deadline, f"read {len(records)} of {count} records within {PATIENCE_S} s"
    return records


def publish(publisher: Publisher, topic: str, values: Sequence[str], key: str = "k") -> None:
    """Writes text values under one key, and waits until they are durable."""
    for value in values:
        assert publisher.publish(Message(topic, key.encode(), value.encode()))
    assert publisher.flush(PATIENCE_S) == 0
