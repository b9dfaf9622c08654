"""What `Source` promises, on every implementation."""

from __future__ import annotations

import contextlib
import random
from collections.abc import Collection, Mapping

import pytest

from tests.streams.contract.world import Listener, World, poll_until, publish, read
from vss.errors import ConfigError, StreamError
from vss.schemas.envelope import Commit, Message, Record, TopicPartition


def test_records_of_a_partition_come_in_order_without_gap_or_repeat(world: World, group: str) -> None:
    topic = world.topic(3)
    publisher = world.publisher()
    rng = random.Random(7)
    sent: dict[bytes, list[bytes]] = {}
    for i in range(300):
        key = f"camera-{rng.randrange(8)}".encode()
        sent.setdefault(key, []).append(str(i).encode())
        assert publisher.publish(Message(topic, key, str(i).encode()))
    assert publisher.flush(30) == 0
    source = world.source(group)
    source.subscribe([topic], Listener())
    records = read(source, 300, max_records=7)
    got: dict[bytes | None, list[bytes | None]] = {}
    offsets: dict[int, list[int]] = {}
    for record in records:
        got.setdefault(record.key, []).append(record.value)
        offsets.setdefault(record.partition, []).append(record.offset)
    assert got == sent
    assert len(offsets) > 1, "the keys must spread for this test to say anything"
    assert all(found == list(range(len(found))) for found in offsets.values())


def test_a_record_arrives_as_it_was_written(world: World, group: str) -> None:
    topic = world.topic(1)
    headers = (("a", b"1"), ("a", b"2"), ("empty", b""), ("null", None), ("ключ", b"\xff\x00"))
    written = [
        Message(topic, b"k", b"v", headers),
        Message(topic, None, b"no key"),
        Message(topic, b"no value", None),
        Message(topic, b"", b""),
    ]
    publisher = world.publisher()
    for message in written:
        assert publisher.publish(message)
    publisher.flush(30)
    source = world.source(group)
    source.subscribe([topic], Listener())
    records = read(source, 4)
    assert [Message(r.topic, r.key, r.value, r.headers) for r in records] == written
    assert all(record.timestamp_ms > 1_600_000_000_000 for record in records)


def test_a_partition_has_at_most_one_owner_and_none_is_orphaned(world: World, group: str) -> None:
    topic = world.topic(4)
    everything = {TopicPartition(topic, i) for i in range(4)}
    members = [world.source(group) for _ in range(3)]
    for i, member in enumerate(members):
        member.subscribe([topic], Listener())

        def settled(joined: Collection[object] = tuple(members[: i + 1])) -> bool:
            held = [member.assignment() for member in members if member in joined]
            total = sum(len(partitions) for partitions in held)
            assert total == len(frozenset().union(*held)), f"a partition with two owners: {held}"
            return total == 4 and all(held)

        poll_until(members[: i + 1], settled)
    members[0].close()
    poll_until(members[1:], lambda: members[1].assignment() | members[2].assignment() == everything)
    assert not members[0].assignment()


def test_the_old_owner_is_asked_before_the_new_one_has_the_partition(world: World, group: str) -> None:
    topic = world.topic(2)
    story: list[tuple[str, str, tuple[TopicPartition, ...]]] = []
    first, second = world.source(group), world.source(group)
    first.subscribe([topic], Listener("first", story=story))
    poll_until(first, lambda: len(first.assignment()) == 2)
    second.subscribe([topic], Listener("second", story=story))
    poll_until([first, second], lambda: len(first.assignment()) == len(second.assignment()) == 1)
    handed_over = next(iter(second.assignment()))
    gone = story.index(("first", "revoked", (handed_over,)))
    came = next(i for i, (who, what, which) in enumerate(story) if (who, what) == ("second", "assigned") and which)
    assert gone < came
    assert not [what for _, what, _ in story if what == "lost"]


def test_what_is_committed_while_partitions_are_revoked_counts_for_their_next_owner(world: World, group: str) -> None:
    """The last chance of the old owner: its transaction inside `on_revoked` is accepted."""
    topic, out = world.topic(1), world.topic(1)
    publish(world.publisher(), topic, [str(i) for i in range(6)])
    source, sink = world.source(group), world.sink()
    partition = TopicPartition(topic, 0)

    class CommitsLate(Listener):
        def on_revoked(self, partitions: Collection[TopicPartition]) -> None:
            sink.transact([Message(out, b"k", b"late")], {partition: Commit(4)}, source.group())
            super().on_revoked(partitions)

    source.subscribe([topic], CommitsLate())
    read(source, 6)
    source.close()
    heir = world.source(group)
    heir.subscribe([topic], Listener())
    assert [record.offset for record in read(heir, 2)] == [4, 5]
    assert [record.value for record in world.visible(out)] == [b"late"]


def test_a_group_goes_on_at_its_commit(world: World, group: str) -> None:
    topic = world.topic(1)
    publish(world.publisher(), topic, [str(i) for i in range(10)])
    partition = TopicPartition(topic, 0)
    first, sink = world.source(group), world.sink()
    first.subscribe([topic], Listener())
    # Read further than committed: what counts is the commit.
    read(first, 8)
    sink.transact([], {partition: Commit(5)}, first.group())
    first.close()
    second = world.source(group)
    listener = Listener()
    second.subscribe([topic], listener)
    assert [record.offset for record in read(second, 5)] == [5, 6, 7, 8, 9]
    assert listener.committed == {partition: Commit(5)}


def test_reading_alone_commits_nothing(world: World, group: str) -> None:
    topic = world.topic(1)
    publish(world.publisher(), topic, ["a", "b"])
    first = world.source(group)
    first.subscribe([topic], Listener())
    read(first, 2)
    assert first.committed([TopicPartition(topic, 0)]) == {TopicPartition(topic, 0): None}
    first.close()
    second = world.source(group)
    second.subscribe([topic], Listener())
    assert [record.value for record in read(second, 2)] == [b"a", b"b"]


def test_two_groups_read_everything_each(world: World, group: str) -> None:
    topic = world.topic(1)
    publish(world.publisher(), topic, ["a", "b"])
    for name in (group, group + "-other"):
        source = world.source(name)
        source.subscribe([topic], Listener())
        assert [record.value for record in read(source, 2)] == [b"a", b"b"]


def test_metadata_comes_back_with_the_commit(world: World, group: str) -> None:
    topic = world.topic(2)
    marked, bare = TopicPartition(topic, 0), TopicPartition(topic, 1)
    metadata = "rewind=2;" + "ü" * 100
    first, sink = world.source(group), world.sink()
    first.subscribe([topic], Listener())
    poll_until(first, lambda: len(first.assignment()) == 2)
    sink.transact([], {marked: Commit(0, metadata)}, first.group())
    assert first.committed([marked, bare]) == {marked: Commit(0, metadata), bare: None}
    first.close()
    second, listener = world.source(group), Listener()
    second.subscribe([topic], listener)
    poll_until(second, lambda: len(second.assignment()) == 2)
    assert listener.committed == {marked: Commit(0, metadata), bare: None}


def test_the_listener_may_start_a_partition_elsewhere(world: World, group: str) -> None:
    topic = world.topic(1)
    partition = TopicPartition(topic, 0)
    publish(world.publisher(), topic, [str(i) for i in range(8)])
    first, sink = world.source(group), world.sink()
    first.subscribe([topic], Listener())
    read(first, 8)
    sink.transact([], {partition: Commit(6)}, first.group())
    first.close()
    second = world.source(group)
    second.subscribe([topic], Listener(starts={partition: 3}))
    assert [record.offset for record in read(second, 5)] == [3, 4, 5, 6, 7]


def test_a_group_without_commits_starts_at_the_end_when_asked_to(world: World, group: str) -> None:
    topic, publisher = world.topic(1), world.publisher()
    publish(publisher, topic, ["old", "older"])
    source = world.source(group, start_at="latest")
    source.subscribe([topic], Listener())
    poll_until(source, lambda: bool(source.assignment()))
    publish(publisher, topic, ["new", "newer"])
    assert [record.value for record in read(source, 2)] == [b"new", b"newer"]
    # Going back must not skip what was read since, although the end is further now.
    source.seek(TopicPartition(topic, 0), None)
    assert [record.value for record in read(source, 2)] == [b"new", b"newer"]


def test_after_a_seek_the_next_record_is_the_one_asked_for(world: World, group: str) -> None:
    """Not one that the client had fetched before: to take that would skip all between."""
    topic = world.topic(2)
    publisher = world.publisher()
    for key in ("a", "b", "c", "d"):
        publish(publisher, topic, [f"{key}{i}" for i in range(300)], key)
    source = world.source(group)
    source.subscribe([topic], Listener())
    rng = random.Random(3)
    read(source, 50)
    held = sorted(source.assignment())
    for _ in range(6):
        target = {partition: rng.randrange(200) for partition in held}
        for partition, offset in target.items():
            source.seek(partition, offset)
        seen: dict[TopicPartition, list[int]] = {}

        def note(records: list[Record], seen: dict[TopicPartition, list[int]] = seen) -> None:
            for record in records:
                seen.setdefault(record.topic_partition, []).append(record.offset)

        while len(seen) < len(held):
            note(source.poll(rng.choice([1, 5, 90]), 0.05))
        for partition, offsets in seen.items():
            assert offsets == list(range(target[partition], target[partition] + len(offsets)))


def test_a_seek_without_offset_goes_to_the_beginning(world: World, group: str) -> None:
    topic = world.topic(1)
    publish(world.publisher(), topic, ["a", "b", "c"])
    source = world.source(group)
    source.subscribe([topic], Listener())
    read(source, 3)
    source.seek(TopicPartition(topic, 0), None)
    assert [record.value for record in read(source, 3)] == [b"a", b"b", b"c"]


@pytest.mark.parametrize("start_at", ["earliest", "latest"])
def test_reading_again_from_what_is_gone_begins_with_what_is_left(world: World, group: str, start_at: str) -> None:
    """State that was built from records which retention has deleted since is rebuilt from the others."""
    topic = world.topic(1)
    partition = TopicPartition(topic, 0)
    publish(world.publisher(), topic, [str(i) for i in range(10)])
    first, sink = world.source(group), world.sink()
    first.subscribe([topic], Listener())
    read(first, 10)
    sink.transact([], {partition: Commit(8, "rewind=2")}, first.group())
    first.close()
    world.trim(partition, 5)
    heir = world.source(group, start_at)
    heir.subscribe([topic], Listener(starts={partition: 2}))
    assert [record.offset for record in read(heir, 5)] == [5, 6, 7, 8, 9]
    assert heir.lag() == {partition: 0}
    heir.seek(partition, 3)
    assert [record.offset for record in read(heir, 5)] == [5, 6, 7, 8, 9]
    world.trim(partition, 9)
    heir.seek(partition, 6)
    assert [record.offset for record in read(heir, 1)] == [9]


def test_a_partition_that_is_not_assigned_cannot_be_sought_in(world: World, group: str) -> None:
    topic = world.topic(1)
    source = world.source(group)
    source.subscribe([topic], Listener())
    poll_until(source, lambda: bool(source.assignment()))
    with pytest.raises(StreamError, match="not assigned"):
        source.seek(TopicPartition(topic, 7), 0)
    assert source.assignment() == {TopicPartition(topic, 0)}


def test_a_paused_partition_is_silent_and_goes_on_where_it_was(world: World, group: str) -> None:
    topic = world.topic(1)
    publish(world.publisher(), topic, [str(i) for i in range(20)])
    source = world.source(group)
    source.subscribe([topic], Listener())
    read(source, 5, max_records=5)
    source.pause(source.assignment())
    assert [record for _ in range(10) for record in source.poll(100, 0.05)] == []
    assert source.assignment() == {TopicPartition(topic, 0)}
    source.resume(source.assignment())
    assert [record.offset for record in read(source, 15)] == list(range(5, 20))


def test_lag_is_what_is_left_to_read(world: World, group: str) -> None:
    topic = world.topic(1)
    partition = TopicPartition(topic, 0)
    publish(world.publisher(), topic, [str(i) for i in range(10)])
    source, sink = world.source(group), world.sink()
    source.subscribe([topic], Listener())
    read(source, 4)
    assert source.lag() == {partition: 6}
    read(source, 6)
    assert source.lag() == {partition: 0}
    sink.transact([], {partition: Commit(10)}, source.group())
    source.close()
    # A member that has read nothing yet, because there is nothing left, is not behind by the whole log.
    heir = world.source(group)
    heir.subscribe([topic], Listener())
    poll_until(heir, lambda: bool(heir.lag()))
    assert heir.lag() == {partition: 0}


def test_a_poll_takes_what_is_there_and_does_not_wait_for_more(world: World, group: str) -> None:
    topic, publisher = world.topic(1), world.publisher()
    source = world.source(group)
    source.subscribe([topic], Listener())
    poll_until(source, lambda: bool(source.assignment()))
    publish(publisher, topic, ["one"])
    started_s = world.elapsed_s()
    records: list[Record] = []
    while not records:
        records = source.poll(100, 20.0)
    assert [record.value for record in records] == [b"one"]
    assert world.elapsed_s() - started_s < 10.0


def test_a_poll_returns_at_most_what_was_asked_for(world: World, group: str) -> None:
    topic = world.topic(2)
    publisher = world.publisher()
    for key in ("a", "b", "c"):
        publish(publisher, topic, [str(i) for i in range(50)], key)
    source = world.source(group)
    source.subscribe([topic], Listener())
    sizes: list[int] = []
    while sum(sizes) < 150:
        sizes.append(len(source.poll(7, 0.05)))
    assert max(sizes) == 7


def test_what_a_listener_raises_comes_out_of_poll(world: World, group: str) -> None:
    topic = world.topic(1)

    class Broken(Listener):
        def on_assigned(self, committed: Mapping[TopicPartition, Commit | None]) -> Mapping[TopicPartition, int]:
            raise LookupError("of the listener")

    source = world.source(group)
    source.subscribe([topic], Broken())
    with pytest.raises(LookupError, match="of the listener"):
        poll_until(source, lambda: False)


def test_a_listener_that_raises_does_not_keep_a_source_from_leaving(world: World, group: str) -> None:
    topic = world.topic(1)

    class Broken(Listener):
        def on_revoked(self, partitions: Collection[TopicPartition]) -> None:
            raise LookupError("of the listener")

    source = world.source(group)
    source.subscribe([topic], Broken())
    poll_until(source, lambda: bool(source.assignment()))
    with contextlib.suppress(LookupError):
        source.close()
    assert not source.assignment()
    heir = world.source(group)
    heir.subscribe([topic], Listener())
    poll_until(heir, lambda: bool(heir.assignment()))


def test_closing_revokes_leaves_and_may_be_repeated(world: World, group: str) -> None:
    topic = world.topic(1)
    source, listener = world.source(group), Listener()
    source.subscribe([topic], listener)
    poll_until(source, lambda: bool(source.assignment()))
    source.close()
    source.close()
    assert [what for _, what, _ in listener.story] == ["assigned", "revoked"]
    assert not source.assignment()
    heir = world.source(group)
    heir.subscribe([topic], Listener())
    poll_until(heir, lambda: bool(heir.assignment()))


def test_a_source_that_never_subscribed_closes(world: World, group: str) -> None:
    source = world.source(group)
    source.close()
    source.close()


def test_a_topic_that_does_not_exist_is_named_at_once(world: World, group: str) -> None:
    source = world.source(group)
    with pytest.raises(ConfigError, match="no-such-topic") as raised:
        source.subscribe([world.topic(1), "no-such-topic"], Listener())
    assert "vss topics create" in raised.value.fix
