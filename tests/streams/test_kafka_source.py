"""What only a real broker does to a source: open transactions, logs that were cut, topics that were made anew."""

from __future__ import annotations

import time
import uuid
from collections.abc import Iterator
from contextlib import ExitStack, suppress

import pytest
from confluent_kafka import KafkaException, Producer
from confluent_kafka import TopicPartition as KafkaPartition
from confluent_kafka.admin import AdminClient

from tests.streams.contract.world import KafkaWorld, Listener, create_topic, poll_until, publish, read, wait_until
from vss.errors import BrokerUnavailable
from vss.schemas.envelope import Commit, TopicPartition


@pytest.fixture(params=["consumer", "classic"])
def world(request: pytest.FixtureRequest, bootstrap_servers: str) -> Iterator[KafkaWorld]:
    with ExitStack() as resources:
        yield KafkaWorld(bootstrap_servers, request.param, resources)


@pytest.fixture
def group() -> str:
    return f"group-{uuid.uuid4().hex}"


@pytest.fixture
def admin(bootstrap_servers: str) -> AdminClient:
    return AdminClient({"bootstrap.servers": bootstrap_servers})


def test_while_a_transaction_is_open_nobody_says_what_is_committed(
    world: KafkaWorld, group: str, bootstrap_servers: str
) -> None:
    """A next owner that took the old commit here would do everything in that transaction a second time."""
    topic = world.topic(1)
    partition = TopicPartition(topic, 0)
    publish(world.publisher(), topic, [str(i) for i in range(6)])
    source, sink = world.source(group), world.sink()
    source.subscribe([topic], Listener())
    read(source, 6)
    sink.transact([], {partition: Commit(2)}, source.group())
    producer = Producer(
        {"bootstrap.servers": bootstrap_servers, "transactional.id": uuid.uuid4().hex, "transaction.timeout.ms": 60000}
    )
    producer.init_transactions(30)
    producer.begin_transaction()
    producer.send_offsets_to_transaction([KafkaPartition(topic, 0, 5)], source.group(), 30)
    with pytest.raises(BrokerUnavailable):
        source.committed([partition])
    # Whoever is given the partition meanwhile reads nothing, and starts where the transaction says once it has ended.
    source.close()
    heir, listener = world.source(group), Listener()
    heir.subscribe([topic], listener)
    deadline = time.monotonic() + 4
    while time.monotonic() < deadline:
        assert heir.poll(10, 0.1) == []
    assert not heir.assignment()
    producer.commit_transaction(30)
    assert [record.offset for record in read(heir, 1)] == [5]
    assert listener.committed == {partition: Commit(5)}


def test_a_commit_that_retention_has_overtaken_is_followed_by_what_is_left(
    world: KafkaWorld, group: str, admin: AdminClient
) -> None:
    topic = world.topic(1)
    partition = TopicPartition(topic, 0)
    publish(world.publisher(), topic, [str(i) for i in range(10)])
    source, sink = world.source(group, start_at="latest"), world.sink()
    source.subscribe([topic], Listener())
    poll_until(source, lambda: bool(source.assignment()))
    sink.transact([], {partition: Commit(3, "note")}, source.group())
    source.close()
    admin.delete_records([KafkaPartition(topic, 0, 7)])[KafkaPartition(topic, 0)].result(30)
    # `latest` is about groups without commits: it must not skip what is left.
    heir, listener = world.source(group, start_at="latest"), Listener()
    heir.subscribe([topic], listener)
    assert [record.offset for record in read(heir, 3)] == [7, 8, 9]
    assert listener.committed == {partition: Commit(7, "note")}


def test_a_topic_that_was_made_anew_is_read_from_its_beginning(
    world: KafkaWorld, group: str, admin: AdminClient, bootstrap_servers: str
) -> None:
    topic = world.topic(1)
    publish(world.publisher(), topic, [str(i) for i in range(10)])
    source, sink = world.source(group), world.sink()
    source.subscribe([topic], Listener())
    read(source, 10)
    sink.transact([], {TopicPartition(topic, 0): Commit(10)}, source.group())
    source.close()
    admin.delete_topics([topic])[topic].result(30)

    def made() -> bool:
        with suppress(KafkaException):
            create_topic(bootstrap_servers, 1, topic)
            return True
        return False

    wait_until(made)
    publish(world.publisher(), topic, ["new", "newer"])
    heir, listener = world.source(group), Listener()
    heir.subscribe([topic], listener)
    assert [record.value for record in read(heir, 2)] == [b"new", b"newer"]
