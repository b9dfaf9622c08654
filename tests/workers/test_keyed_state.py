"""State by key: rebuilt from below the commit with nothing emitted, committed with what was taken in, told of time."""

from __future__ import annotations

import threading
from collections.abc import Collection, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field

import pytest

from tests.workers.small_fleet import SILENT
from vss.config import LoopSettings
from vss.errors import InferenceFailed, TransactionAborted
from vss.metrics import Metrics
from vss.schemas.envelope import Commit, Message, Outcome, OutcomeKind, Record, TopicPartition
from vss.testing import InlineExecutor, InMemoryBroker, InMemorySink, InMemorySource, ManualClock
from vss.workers.loop.keyed_state import Timed
from vss.workers.loop.loop import Loop
from vss.workers.loop.step import Done, Pending, Result

IN = TopicPartition("in", 0)
KEPT = 3


@dataclass
class LastThree:
    """Keeps the last three values of its partition, and answers each record with them."""

    fails_once: set[int] = field(default_factory=set)
    silent_at_ns: int | None = None
    name: str = "last-three"
    kept: list[tuple[int, bytes]] = field(default_factory=list)
    rebuilt: list[int] = field(default_factory=list)
    told: bool = False

    def begin(self, batch: Sequence[Record]) -> Pending:
        answers = []
        for record in batch:
            self._take(record)
            answers.append(b"+".join(value for _, value in self.kept))
        return self._pending(batch, answers)

    def _pending(self, batch: Sequence[Record], answers: Sequence[bytes]) -> Pending:
        results: list[Result] = []
        for record, answer in zip(batch, answers, strict=True):
            if record.offset in self.fails_once:
                self.fails_once.discard(record.offset)
                results.append(InferenceFailed("this once"))
            else:
                results.append(Outcome(OutcomeKind.EVENT, (Message("out", record.key, answer),)))
        return Done(results, lambda places: self._pending([batch[i] for i in places], [answers[i] for i in places]))

    def close(self) -> None:
        pass

    # `KeyedState`.

    def start(self, partition: TopicPartition, commit: Commit | None) -> int | None:
        self.kept.clear()
        self.told = commit is not None and commit.metadata.endswith("told")
        return int(commit.metadata.split()[0]) if commit is not None else None

    def rebuild(self, records: Sequence[Record]) -> None:
        for record in records:
            self.rebuilt.append(record.offset)
            self._take(record)

    def memory(self, partitions: Collection[TopicPartition]) -> Mapping[TopicPartition, str]:
        text = f"{self.kept[0][0]}{' told' if self.told else ''}"
        return dict.fromkeys(partitions, text)

    def timed(self, now_ns: int) -> Sequence[Timed]:
        if self.silent_at_ns is None or now_ns < self.silent_at_ns or self.told or not self.kept:
            return ()
        self.told = True
        return [Timed(IN, Message("out", b"k", b"silent"))]

    def forget(self, partitions: Collection[TopicPartition]) -> None:
        self.kept.clear()

    def _take(self, record: Record) -> None:
        self.kept = [*self.kept, (record.offset, record.value or b"")][-KEPT:]


class Bench:
    def __init__(self) -> None:
        self.clock = ManualClock()
        self.broker = InMemoryBroker({"in": 1, "out": 1, "dlq": 1, "shed": 1}, self.clock)

    @contextmanager
    def worker(self, step: LastThree, *, crashes: bool = False) -> Iterator[tuple[Loop, InMemorySink]]:
        source, sink = InMemorySource(self.broker, group="g"), InMemorySink(self.broker)
        loop = Loop(
            step,
            source,
            sink,
            topics=["in"],
            settings=LoopSettings(max_batch=2),
            dead_letter_topic="dlq",
            shed_topic="shed",
            group="g",
            committer=InlineExecutor(),
            metrics=Metrics(),
            clock=self.clock,
            logger=SILENT,
            state=step,
        )
        loop.start(threading.Event())
        yield loop, sink
        if crashes:
            source.crash()
        else:
            loop.finish()
            loop.close()

    def produce(self, *values: bytes) -> None:
        for value in values:
            self.broker.append(Message("in", b"k", value))

    def written(self) -> list[bytes]:
        return [record.value or b"" for record in self.broker.records("out")]

    def commit(self) -> Commit | None:
        return self.broker.committed("g", [IN])[IN]


def turns(loop: Loop, count: int = 12) -> None:
    for _ in range(count):
        loop.turn(0.0)


@pytest.mark.parametrize("crashes", [False, True], ids=["leaves", "crashes"])
def test_the_next_owner_has_the_same_state_and_repeats_nothing(crashes: bool) -> None:
    bench = Bench()
    bench.produce(b"a", b"b", b"c", b"d")
    with bench.worker(LastThree(), crashes=crashes) as (loop, _):
        turns(loop)
    assert bench.commit() == Commit(4, "1")
    bench.produce(b"e")
    heir = LastThree()
    with bench.worker(heir) as (loop, _):
        turns(loop)
    assert heir.rebuilt == [1, 2, 3]
    assert bench.written() == [b"a", b"a+b", b"a+b+c", b"b+c+d", b"c+d+e"]


def test_state_that_ran_ahead_of_an_aborted_transaction_is_rebuilt() -> None:
    bench = Bench()
    bench.produce(b"a", b"b", b"c", b"d", b"e", b"f")
    step = LastThree()
    with bench.worker(step) as (loop, sink):
        sink.failures = [None, TransactionAborted("x"), None]
        turns(loop, 20)
    assert bench.written() == [b"a", b"a+b", b"a+b+c", b"b+c+d", b"c+d+e", b"d+e+f"]
    assert step.rebuilt, "nothing was rebuilt: the transaction did not fail where it should"


def test_a_commit_whose_answer_was_lost_is_not_repeated() -> None:
    bench = Bench()
    bench.produce(b"a", b"b", b"c", b"d")
    with bench.worker(LastThree()) as (loop, sink):
        sink.failures, sink.after_commit = [TransactionAborted("x")], True
        turns(loop, 20)
    assert bench.written() == [b"a", b"a+b", b"a+b+c", b"b+c+d"]


def test_a_record_that_is_tried_again_enters_the_state_once() -> None:
    bench = Bench()
    bench.produce(b"a", b"b", b"c", b"d")
    with bench.worker(LastThree(fails_once={1})) as (loop, _):
        turns(loop)
    assert bench.written() == [b"a", b"a+b", b"a+b+c", b"b+c+d"]


def test_time_alone_says_something_once_and_the_next_owner_knows() -> None:
    bench = Bench()
    bench.produce(b"a", b"b")
    step = LastThree(silent_at_ns=bench.clock.now_ns() + 10_000_000_000)
    with bench.worker(step, crashes=True) as (loop, sink):
        turns(loop)
        bench.clock.advance(11)
        sink.failures = [TransactionAborted("x")]
        turns(loop)
    assert bench.written() == [b"a", b"a+b", b"silent"]
    assert bench.commit() == Commit(2, "0 told")
    with bench.worker(LastThree(silent_at_ns=0)) as (loop, _):
        turns(loop)
    assert bench.written() == [b"a", b"a+b", b"silent"]


def test_a_begin_that_raises_ends_the_worker_with_nothing_committed() -> None:
    bench = Bench()
    bench.produce(b"a", b"b")

    class Raises(LastThree):
        def begin(self, batch: Sequence[Record]) -> Pending:
            super().begin(batch)
            raise RuntimeError("half of it is in the state")

    with bench.worker(Raises(), crashes=True) as (loop, _), pytest.raises(RuntimeError, match="half of it"):
        turns(loop)
    assert bench.written() == []
    assert bench.commit() is None
    with bench.worker(LastThree()) as (loop, _):
        turns(loop)
    assert bench.written() == [b"a", b"a+b"]
