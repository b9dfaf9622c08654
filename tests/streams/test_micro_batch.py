"""Micro-batches close at a number of records, of bytes, or when nothing more is there."""

from __future__ import annotations

import pytest

from tests.streams.contract.world import Listener
from vss.schemas.envelope import Message, TopicPartition
from vss.streams.micro_batch import MicroBatcher
from vss.testing import InMemoryBroker, InMemorySource, ManualClock


class Bench:
    def __init__(self, *, max_items: int = 4, max_bytes: int = 1000, max_wait_s: float = 0.0) -> None:
        self.clock = ManualClock()
        self.broker = InMemoryBroker({"t": 2}, self.clock)
        self.source = InMemorySource(self.broker, group="g")
        self.source.subscribe(["t"], Listener())
        self.source.poll(1, 0)
        self.batcher = MicroBatcher(
            self.source, max_items=max_items, max_bytes=max_bytes, max_wait_s=max_wait_s, clock=self.clock
        )

    def write(self, *sizes: int, partition: int = 0) -> None:
        for size in sizes:
            self.broker.append(Message("t", None, b"x" * size), partition)

    def sizes(self) -> list[int]:
        return [record.size_bytes for record in self.batcher.next(0.0)]


def test_a_batch_holds_at_most_so_many_records() -> None:
    bench = Bench(max_items=4)
    bench.write(*[1] * 10)
    assert [len(bench.batcher.next(0)) for _ in range(4)] == [4, 4, 2, 0]


def test_a_batch_holds_at_most_so_many_bytes() -> None:
    bench = Bench(max_bytes=100)
    bench.write(40, 60, 1, 99, 100)
    assert [bench.sizes() for _ in range(4)] == [[40, 60], [1, 99], [100], []]


def test_a_record_larger_than_the_limit_travels_alone() -> None:
    bench = Bench(max_bytes=100)
    bench.write(10, 5000, 10)
    assert [bench.sizes() for _ in range(3)] == [[10], [5000], [10]]


def test_order_is_kept_over_batches() -> None:
    bench = Bench(max_items=3, max_bytes=7)
    bench.write(*[3] * 20)
    offsets = [record.offset for _ in range(12) for record in bench.batcher.next(0)]
    assert offsets == list(range(20))


def test_a_batch_takes_what_is_there_and_does_not_wait() -> None:
    bench = Bench(max_items=4)
    bench.write(1)
    before_s = bench.clock.monotonic()
    assert len(bench.batcher.next(5.0)) == 1
    assert bench.clock.monotonic() == before_s


def test_an_empty_batch_comes_after_the_wait() -> None:
    bench = Bench()
    before_s = bench.clock.monotonic()
    assert bench.batcher.next(5.0) == []
    assert bench.clock.monotonic() - before_s == pytest.approx(5.0)


def test_a_batch_that_is_not_full_waits_as_long_as_it_may() -> None:
    bench = Bench(max_items=4, max_wait_s=0.5)
    bench.write(1, 1)
    before_s = bench.clock.monotonic()
    assert len(bench.batcher.next(0.0)) == 2
    assert bench.clock.monotonic() - before_s == pytest.approx(0.5)


@pytest.mark.parametrize("limits", [{"max_items": 2}, {"max_bytes": 2}])
def test_a_full_batch_does_not_wait(limits: dict[str, int]) -> None:
    bench = Bench(max_wait_s=0.5, **limits)
    bench.write(1, 1)
    before_s = bench.clock.monotonic()
    assert len(bench.batcher.next(0.0)) == 2
    assert bench.clock.monotonic() == before_s


def test_what_was_discarded_does_not_come() -> None:
    bench = Bench(max_items=4, max_bytes=1)
    bench.write(1, 1, 1)
    assert bench.sizes() == [1]
    bench.batcher.discard()
    assert bench.sizes() == []


def test_of_partitions_that_go_what_was_polled_is_discarded_and_the_rest_stays() -> None:
    bench = Bench(max_items=8, max_bytes=1)
    bench.write(1, 1, partition=0)
    bench.write(1, 1, partition=1)
    assert bench.batcher.next(0)[0].partition == 0
    bench.batcher.discard({TopicPartition("t", 0)})
    assert [record.partition for _ in range(3) for record in bench.batcher.next(0)] == [1, 1]


def test_keeping_alive_polls_and_reads_nothing() -> None:
    bench = Bench()
    bench.write(1, 1)
    heir = InMemorySource(bench.broker, group="g")
    heir.subscribe(["t"], Listener())
    bench.batcher.keep_alive(0.1)
    assert len(bench.source.assignment()) == 1, "a rebalance goes through while a batch is paused"
    bench.batcher.resume()
    assert len(bench.batcher.next(0.0)) == 2
