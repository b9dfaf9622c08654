"""What `Sink` and `Publisher` promise, on every implementation."""

from __future__ import annotations

import pytest

from tests.streams.contract.world import Listener, World, poll_until, publish, read
from vss.errors import TransactionAborted
from vss.schemas.envelope import Commit, Message, TopicPartition

# Keys and what Java's `Utils.murmur2` gives for them (Apache Kafka, `UtilsTest.testMurmur2`).
MURMUR2 = {
    b"21": -973932308,
    b"foobar": -790332482,
    b"a-little-bit-long-string": -985981536,
    b"a-little-bit-longer-string": -1486304829,
    b"lkjh234lh9fiuh90y23oiuhsafujhadof229phr9h19h89h8": -58897971,
    b"abc": 479470107,
}


def java_partition(key: bytes, partitions: int) -> int:
    return (MURMUR2[key] & 0x7FFFFFFF) % partitions


def test_messages_and_commits_become_visible_together(world: World, group: str) -> None:
    topic, out, other = world.topic(1), world.topic(2), world.topic(1)
    partition = TopicPartition(topic, 0)
    publish(world.publisher(), topic, ["a", "b", "c"])
    source, sink = world.source(group), world.sink()
    source.subscribe([topic], Listener())
    read(source, 3)
    headers = (("h", b"1"), ("h", None))
    sink.transact(
        [Message(out, b"k1", b"one", headers), Message(out, b"k2", None), Message(other, b"k1", b"two")],
        {partition: Commit(3, "note")},
        source.group(),
    )
    assert {(r.key, r.value, r.headers) for r in world.visible(out)} == {(b"k1", b"one", headers), (b"k2", None, ())}
    assert [record.value for record in world.visible(other)] == [b"two"]
    assert source.committed([partition]) == {partition: Commit(3, "note")}


def test_many_transactions_keep_their_order(world: World, group: str) -> None:
    topic, out = world.topic(1), world.topic(1)
    source, sink = world.source(group), world.sink()
    source.subscribe([topic], Listener())
    poll_until(source, lambda: bool(source.assignment()))
    for i in range(25):
        sink.transact([Message(out, b"k", f"{i}-{j}".encode()) for j in range(4)], {}, source.group())
    assert [r.value for r in world.visible(out)] == [f"{i}-{j}".encode() for i in range(25) for j in range(4)]


def test_a_transaction_of_a_member_that_is_gone_is_refused_as_a_whole(world: World, group: str) -> None:
    topic, out = world.topic(1), world.topic(1)
    partition = TopicPartition(topic, 0)
    publish(world.publisher(), topic, ["a", "b"])
    source, sink = world.source(group), world.sink()
    source.subscribe([topic], Listener())
    read(source, 2)
    sink.transact([Message(out, b"k", b"before")], {partition: Commit(1)}, source.group())
    token = source.group()
    source.close()
    heir = world.source(group)
    heir.subscribe([topic], Listener())
    poll_until(heir, lambda: bool(heir.assignment()))
    with pytest.raises(TransactionAborted):
        sink.transact([Message(out, b"k", b"too late")], {partition: Commit(2)}, token)
    assert [record.value for record in world.visible(out)] == [b"before"]
    assert heir.committed([partition]) == {partition: Commit(1)}


def test_a_token_from_before_the_partition_changed_hands_is_refused(world: World, group: str) -> None:
    """A member that lives on may not commit what it had to give up meanwhile."""
    topic, out = world.topic(2), world.topic(1)
    source, sink = world.source(group), world.sink()
    source.subscribe([topic], Listener())
    poll_until(source, lambda: len(source.assignment()) == 2)
    token = source.group()
    newcomer = world.source(group)
    newcomer.subscribe([topic], Listener())
    poll_until([source, newcomer], lambda: len(source.assignment()) == len(newcomer.assignment()) == 1)
    taken = next(iter(newcomer.assignment()))
    with pytest.raises(TransactionAborted):
        sink.transact([Message(out, b"k", b"stale")], {taken: Commit(7)}, token)
    assert world.visible(out) == []
    assert newcomer.committed([taken]) == {taken: None}
    # The sink is as good as new, and so is the member with a token of now.
    kept = next(iter(source.assignment()))
    sink.transact([Message(out, b"k", b"fresh")], {kept: Commit(0)}, source.group())
    assert [record.value for record in world.visible(out)] == [b"fresh"]


def test_whoever_never_joined_commits_nothing(world: World, group: str) -> None:
    """A broker takes offsets without a member's name from anybody: the sink must not give it any."""
    topic, out = world.topic(1), world.topic(1)
    outsider, sink = world.source(group), world.sink()
    with pytest.raises(TransactionAborted):
        sink.transact([Message(out, b"k", b"v")], {TopicPartition(topic, 0): Commit(1)}, outsider.group())
    assert world.visible(out) == []
    assert outsider.committed([TopicPartition(topic, 0)]) == {TopicPartition(topic, 0): None}


def test_a_closed_sink_writes_nothing_and_may_be_closed_again(world: World, group: str) -> None:
    topic, out = world.topic(1), world.topic(1)
    source, sink = world.source(group), world.sink()
    source.subscribe([topic], Listener())
    poll_until(source, lambda: bool(source.assignment()))
    sink.close()
    sink.close()
    with pytest.raises(TransactionAborted):
        sink.transact([Message(out, b"k", b"v")], {}, source.group())
    assert world.visible(out) == []


@pytest.mark.parametrize("writer", ["publisher", "sink"])
def test_a_key_goes_where_a_java_client_would_put_it(world: World, group: str, writer: str) -> None:
    topic = world.topic(5)
    messages = [Message(topic, key, b"v") for key in MURMUR2]
    if writer == "publisher":
        publisher = world.publisher()
        assert all(publisher.publish(message) for message in messages)
        assert publisher.flush(30) == 0
    else:
        source = world.source(group)
        source.subscribe([topic], Listener())
        poll_until(source, lambda: bool(source.assignment()))
        world.sink().transact(messages, {}, source.group())
    found = {record.key: record.partition for record in world.visible(topic)}
    assert found == {key: java_partition(key, 5) for key in MURMUR2}
    assert len(set(found.values())) > 2, "the keys must spread for this test to say anything"


def test_a_publisher_says_later_that_a_message_was_written(world: World) -> None:
    topic, publisher = world.topic(1), world.publisher()
    told: list[Exception | None] = []
    assert publisher.publish(Message(topic, b"k", b"v"), told.append)
    assert told == [], "a caller may hold a lock that the callback takes"
    assert publisher.flush(30) == 0
    assert told == [None]
    assert [record.value for record in world.visible(topic)] == [b"v"]


def test_closing_a_publisher_writes_what_is_queued_and_may_be_repeated(world: World) -> None:
    topic, publisher = world.topic(1), world.publisher()
    assert publisher.publish(Message(topic, b"k", b"v"))
    publisher.close()
    publisher.close()
    assert [record.value for record in world.visible(topic)] == [b"v"]
