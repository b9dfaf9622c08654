"""Positions: what is read, what has an outcome, what is durable."""

from __future__ import annotations

import pytest

from vss.schemas.envelope import Commit, Record, TopicPartition
from vss.streams.checkpoint import Checkpoint

P0, P1 = TopicPartition("t", 0), TopicPartition("t", 1)


def record(offset: int, partition: int = 0) -> Record:
    return Record("t", partition, offset, b"k", b"v")


@pytest.fixture
def checkpoint() -> Checkpoint:
    checkpoint = Checkpoint()
    checkpoint.assign({P0: None, P1: None})
    return checkpoint


def test_nothing_is_committed_before_it_is_staged(checkpoint: Checkpoint) -> None:
    checkpoint.take([record(5), record(6)])
    assert checkpoint.staged() == {}
    checkpoint.stage(record(5))
    assert checkpoint.staged() == {P0: Commit(6)}


def test_a_record_is_taken_once(checkpoint: Checkpoint) -> None:
    assert checkpoint.take([record(0), record(1)]) == [record(0), record(1)]
    assert checkpoint.take([record(1), record(2)]) == [record(2)]


def test_gaps_are_no_reason_to_wait(checkpoint: Checkpoint) -> None:
    """Compaction and transaction marks leave gaps."""
    assert checkpoint.take([record(0), record(7)]) == [record(0), record(7)]


def test_records_of_partitions_that_are_not_held_are_left_out(checkpoint: Checkpoint) -> None:
    checkpoint.forget([P0])
    assert checkpoint.take([record(0), record(0, 1)]) == [record(0, 1)]


def test_what_is_durable_is_not_committed_again_and_what_was_staged_since_is(checkpoint: Checkpoint) -> None:
    terms = checkpoint.terms([P0, P1])
    checkpoint.stage(record(3))
    checkpoint.stage(record(9, 1))
    commits = checkpoint.staged()
    checkpoint.stage(record(4))
    checkpoint.commit(commits, terms)
    assert checkpoint.staged() == {P0: Commit(5)}


def test_a_partition_that_comes_back_has_a_new_term(checkpoint: Checkpoint) -> None:
    terms = checkpoint.terms([P0, P1])
    checkpoint.stage(record(3))
    checkpoint.forget([P0])
    checkpoint.assign({P0: None})
    assert not checkpoint.holds(P0, terms)
    assert checkpoint.holds(P1, terms)
    assert checkpoint.staged() == {}


def test_a_transaction_of_an_earlier_term_ends_nothing_of_this_one(checkpoint: Checkpoint) -> None:
    terms = checkpoint.terms([P0])
    checkpoint.stage(record(3))
    commits = checkpoint.staged()
    checkpoint.assign({P0: None})
    checkpoint.stage(record(3))
    checkpoint.commit(commits, terms)
    assert checkpoint.staged() == {P0: Commit(4)}


def test_after_abandoning_nothing_is_taken_or_committed_until_reading_starts_anew(checkpoint: Checkpoint) -> None:
    """To take the next record would commit over those that were given up."""
    terms = checkpoint.terms([P0])
    checkpoint.take([record(0), record(1)])
    checkpoint.stage(record(0))
    checkpoint.abandon()
    assert checkpoint.staged() == {}
    assert not checkpoint.holds(P0, terms)
    assert checkpoint.take([record(2)]) == []
    checkpoint.assign({P0: None})
    assert checkpoint.take([record(0), record(1)]) == [record(0), record(1)]
