"""The loop, one promise a test; `test_loop_state_machine.py` mixes them all."""

from __future__ import annotations

import threading
from collections.abc import Mapping, Sequence

import pytest

from tests.workers.small_fleet import GROUP, Fleet, Worker
from vss.config import LoopSettings
from vss.errors import ConfigError, ModelError, TransactionAborted
from vss.schemas.envelope import Commit, Message, OutcomeKind, TopicPartition


def fleet_with(values: int = 0, **settings: int | float) -> tuple[Fleet, Worker]:
    fleet = Fleet(LoopSettings.model_validate({"max_batch": 2, "batches_in_flight": 2, **settings}))
    worker = fleet.join()
    fleet.turn(worker)
    for i in range(values):
        fleet.produce(b"ok", i % 3)
    return fleet, worker


def committed(fleet: Fleet) -> int:
    found = fleet.broker.committed(GROUP, [TopicPartition("in", p) for p in range(3)])
    return sum(commit.offset for commit in found.values() if commit is not None)


def turns(fleet: Fleet, worker: Worker, count: int) -> None:
    """Each with time enough for a transaction to end, unless transactions hang."""
    for _ in range(count):
        fleet.turn(worker)
        if not worker.committer.stuck:
            worker.committer.run_next()


def test_every_record_has_its_event() -> None:
    fleet, worker = fleet_with(20)
    turns(fleet, worker, 30)
    assert len(fleet.outcomes()) == committed(fleet) == 20
    fleet.settle()


def test_what_is_settled_while_a_transaction_runs_joins_the_next_one() -> None:
    fleet, worker = fleet_with(12)
    transactions: list[int] = []
    transact = worker.sink.transact

    def count(messages: Sequence[Message], commits: Mapping[TopicPartition, Commit], group: object) -> None:
        transactions.append(len(messages))
        transact(messages, commits, group)

    worker.sink.transact = count  # type: ignore[method-assign]
    for _ in range(12):
        fleet.turn(worker)
    turns(fleet, worker, 4)
    assert sum(transactions) == 12
    assert len(transactions) < 6, f"a transaction for each of six batches: {transactions}"


def test_work_that_waits_for_a_transaction_is_bounded() -> None:
    fleet, worker = fleet_with(3000, max_batch=1)
    worker.committer.stuck = True
    turns(fleet, worker, 200)
    assert worker.source.lag()[TopicPartition("in", 2)] > 900, "it reads on although nothing becomes durable"
    worker.committer.stuck = False
    worker.committer.run_next()
    turns(fleet, worker, 30)
    fleet.check()
    assert committed(fleet) > 0


def test_an_aborted_transaction_is_done_again() -> None:
    fleet, worker = fleet_with(6)
    worker.sink.failures = [TransactionAborted("x"), TransactionAborted("x"), None]
    turns(fleet, worker, 40)
    assert len(fleet.outcomes()) == 6
    fleet.check()


def test_a_transaction_whose_answer_was_lost_is_not_done_again() -> None:
    fleet, worker = fleet_with(6)
    worker.sink.failures, worker.sink.after_commit = [TransactionAborted("no answer")], True
    turns(fleet, worker, 40)
    assert len(fleet.outcomes()) == 6
    fleet.check()


def test_a_cluster_that_refuses_again_and_again_is_asked_ever_more_slowly() -> None:
    fleet, worker = fleet_with(2)
    worker.sink.failures = [TransactionAborted("x")] * 1000
    before_s = fleet.clock.monotonic()
    turns(fleet, worker, 100)
    tried = 1000 - len(worker.sink.failures)
    assert tried < 30, "a hot loop"
    assert fleet.clock.monotonic() - before_s > 15
    worker.sink.failures.clear()
    turns(fleet, worker, 10)
    assert len(fleet.outcomes()) == 2


def test_records_behind_work_that_was_given_up_are_not_committed_over_it() -> None:
    """The transaction fails while partitions go, and the same poll brings the next records of those that stay."""
    fleet, worker = fleet_with(60, batches_in_flight=1, max_batch=3)
    worker.sink.failures = [TransactionAborted("x")]
    fleet.turn(worker)
    fleet.join()
    for _ in range(4):
        fleet.turn(worker)
        fleet.check()
    fleet.settle()


def test_partitions_go_without_waiting_for_redis() -> None:
    """And without a poll inside the rebalance, which the twin refuses as Kafka's client would."""
    fleet, worker = fleet_with()
    for partition in range(3):
        fleet.produce(b"ok", partition)
        fleet.produce(b"cached", partition)
    fleet.turn(worker)
    fleet.moods.outage_until_s = fleet.clock.monotonic() + 30
    newcomer = fleet.join()
    before_s = fleet.clock.monotonic()
    served_s: list[float] = []

    def look() -> None:
        fleet.turn(newcomer)
        if newcomer.source.assignment():
            served_s.append(fleet.clock.monotonic() - before_s)

    fleet.clock.meanwhile.extend([look] * 20)
    fleet.turn(worker)
    assert fleet.clock.monotonic() - before_s > 20, "the worker itself waits for Redis"
    assert min(served_s) < 2, "the newcomer does not wait for it"
    fleet.settle()


def test_a_paused_worker_is_well_and_stays_a_member() -> None:
    fleet, worker = fleet_with()
    fleet.produce(b"cached", 0)
    fleet.moods.outage_until_s = fleet.clock.monotonic() + 200
    health: list[list[str]] = []
    fleet.clock.meanwhile.extend([lambda: health.append(worker.loop.health())] * 500)
    turns(fleet, worker, 3)
    assert len(health) > 100, "the outage must last for this test to say anything"
    assert not any(health)
    assert fleet.broker.is_member(GROUP, worker.source.group().member)  # type: ignore[attr-defined]
    fleet.settle()


def test_a_loop_that_does_not_go_round_is_not_well() -> None:
    fleet, worker = fleet_with()
    assert worker.loop.health() == []
    fleet.clock.advance(61)
    assert worker.loop.health()


def test_a_worker_is_ready_once_it_goes_round() -> None:
    fleet = Fleet(LoopSettings())
    worker = fleet.join()
    assert worker.loop.readiness()
    fleet.turn(worker)
    assert worker.loop.readiness() == []


def test_a_stop_keeps_its_time_and_commits_what_is_whole() -> None:
    fleet, worker = fleet_with(6, batches_in_flight=3, stop_timeout_s=2.0)
    fleet.turn(worker)
    fleet.moods.slow = 10**6
    turns(fleet, worker, 2)
    before_s = fleet.clock.monotonic()
    fleet.leave(worker)
    assert fleet.clock.monotonic() - before_s <= 2.0 + 1e-6
    fleet.check()
    assert 0 < committed(fleet) < 6, "batches before the slow one are whole"
    fleet.settle()


def test_a_stop_while_a_transaction_hangs_keeps_its_time() -> None:
    fleet, worker = fleet_with(6)
    worker.committer.stuck = True
    turns(fleet, worker, 4)
    fleet.leave(worker)
    fleet.check()
    assert committed(fleet) == 0
    fleet.settle()


def test_run_ends_when_told_and_leaves_the_group() -> None:
    fleet = Fleet(LoopSettings())
    worker = fleet.make()
    fleet.produce(b"ok", 0)
    stop = threading.Event()
    fleet.clock.meanwhile.extend([lambda: None] * 5 + [stop.set])
    worker.loop.run(stop)
    assert [kind for kind, _ in fleet.outcomes()] == [OutcomeKind.EVENT]
    assert worker.source.assignment() == frozenset()


@pytest.mark.parametrize("error", [ModelError("gone"), ConfigError("refused")])
def test_a_crash_raises_closes_everything_and_leaves_the_work_to_others(error: Exception) -> None:
    fleet = Fleet(LoopSettings(max_batch=2))
    worker = fleet.make()
    for i in range(6):
        fleet.produce(b"ok", i % 3)
    if isinstance(error, ModelError):
        fleet.moods.raises_in_results = error
    else:
        worker.sink.failures = [error]
    with pytest.raises(type(error)):
        worker.loop.run(threading.Event())
    assert worker.source.assignment() == frozenset()
    fleet.check()
    fleet.settle()
