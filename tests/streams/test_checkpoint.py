"""Positions: what is read, what has an outcome, what is durable."""

from __future__ import annotations

import pytest

from vss.schemas.envelope import Commit, Record, TopicPartition
from vss.streams.checkpoint import Checkpoint
from vss.streams.runs import records_of

P0, P1 = TopicPartition("t", 0), TopicPartition("t", 1)


def record(offset: int, partition: int = 0) -> Record:
    return Record("t", partition, offset, b"k", b"v")


def taken(checkpoint: Checkpoint, *records: Record) -> list[Record]:
    return records_of(checkpoint.take(records))


@pytest.fixture
def checkpoint() -> Checkpoint:
    checkpoint = Checkpoint()
    checkpoint.assign({P0: None, P1: None})
    return checkpoint


def test_nothing_is_committed_before_it_is_staged(checkpoint: Checkpoint) -> None:
    checkpoint.take([record(5), record(6)])
    assert checkpoint.staged() == {}
    checkpoint.stage(P0, 6)
    assert checkpoint.staged() == {P0: Commit(6)}


def test_a_record_is_taken_once(checkpoint: Checkpoint) -> None:
    assert taken(checkpoint, record(0), record(1)) == [record(0), record(1)]
    assert taken(checkpoint, record(1), record(2)) == [record(2)]


def test_a_record_that_comes_twice_in_one_batch_is_taken_once(checkpoint: Checkpoint) -> None:
    twice = [record(0), record(1), record(0), record(1), record(2)]
    assert taken(checkpoint, *twice) == [record(0), record(1), record(2)]
    assert taken(checkpoint, record(3), record(0, 1), record(3), record(4)) == [record(3), record(0, 1), record(4)]


def test_gaps_are_no_reason_to_wait(checkpoint: Checkpoint) -> None:
    """Compaction and transaction marks leave gaps."""
    assert taken(checkpoint, record(0), record(7)) == [record(0), record(7)]


def test_records_of_partitions_that_are_not_held_are_left_out(checkpoint: Checkpoint) -> None:
    checkpoint.forget([P0])
    assert taken(checkpoint, record(0), record(0, 1)) == [record(0, 1)]


def test_what_is_durable_is_not_committed_again_and_what_was_staged_since_is(checkpoint: Checkpoint) -> None:
    terms = checkpoint.terms([P0, P1])
    checkpoint.stage(P0, 4)
    checkpoint.stage(P1, 10)
    commits = checkpoint.staged()
    checkpoint.stage(P0, 5)
    checkpoint.commit(commits, terms)
    assert checkpoint.staged() == {P0: Commit(5)}


def test_a_partition_that_comes_back_has_a_new_term(checkpoint: Checkpoint) -> None:
    terms = checkpoint.terms([P0, P1])
    checkpoint.stage(P0, 4)
    checkpoint.forget([P0])
    checkpoint.assign({P0: None})
    assert not checkpoint.holds(P0, terms)
    assert checkpoint.holds(P1, terms)
    assert checkpoint.staged() == {}


def test_a_transaction_of_an_earlier_term_ends_nothing_of_this_one(checkpoint: Checkpoint) -> None:
    terms = checkpoint.terms([P0])
    checkpoint.stage(P0, 4)
    commits = checkpoint.staged()
    checkpoint.assign({P0: None})
    checkpoint.stage(P0, 4)
    checkpoint.commit(commits, terms)
    assert checkpoint.staged() == {P0: Commit(4)}


def test_after_abandoning_nothing_is_taken_or_committed_until_reading_starts_anew(checkpoint: Checkpoint) -> None:
    """To take the next record would commit over those that were given up."""
    terms = checkpoint.terms([P0])
    checkpoint.take([record(0), record(1)])
    checkpoint.stage(P0, 1)
    checkpoint.abandon()
    assert checkpoint.staged() == {}
    assert not checkpoint.holds(P0, terms)
    assert taken(checkpoint, record(2)) == []
    checkpoint.assign({P0: None})
    assert taken(checkpoint, record(0), record(1)) == [record(0), record(1)]
