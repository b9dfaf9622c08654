"""Whatever happens in whatever order, every record ends as exactly one outcome, and order per partition holds.

A Hypothesis state machine over the twin: records arrive, workers join, leave, crash and are expelled, transactions fail
before and after they are durable or arrive when their worker is long dead, steps are slow and raise, and while a worker
waits for anything the others go on.
"""

from __future__ import annotations

import functools
from collections.abc import Callable

from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule

from tests.workers.small_fleet import PARTITIONS, Fleet, Worker
from vss.config import LoopSettings
from vss.errors import BrokerUnavailable, ConfigError, ModelError, TransactionAborted

VALUES = st.sampled_from([b"ok", b"ok", b"ok", b"poison", b"flaky", b"hopeless", b"cached"])
INDEX = st.integers(0, 7)


class FleetMachine(RuleBasedStateMachine):
    fleet: Fleet

    @initialize(
        max_batch=st.integers(1, 5),
        batches_in_flight=st.integers(1, 3),
        max_batch_bytes=st.sampled_from([1, 15, 1000]),
        max_age_ms=st.sampled_from([None, 60_000.0 * 60 * 24]),
    )
    def begin(self, max_batch: int, batches_in_flight: int, max_batch_bytes: int, max_age_ms: float | None) -> None:
        self.fleet = Fleet(
            LoopSettings(
                max_batch=max_batch,
                batches_in_flight=batches_in_flight,
                max_batch_bytes=max_batch_bytes,
                max_age_ms=max_age_ms,
            )
        )
        self.fleet.join()

    @rule(values=st.lists(VALUES, min_size=1, max_size=6), partition=st.integers(0, PARTITIONS - 1), old=st.booleans())
    def produce(self, values: list[bytes], partition: int, old: bool) -> None:
        for value in values:
            self.fleet.produce(value, partition, old=old and value == b"ok")

    @precondition(lambda self: len(self.fleet.workers) < 4)
    @rule()
    def join(self) -> None:
        self.fleet.join()

    @precondition(lambda self: len(self.fleet.workers) < 4)
    @rule(turns=st.integers(1, 2))
    def join_and_share_out(self, turns: int) -> None:
        self.fleet.join()
        for who in list(range(len(self.fleet.workers))) * turns:
            self.turn(who, 1)

    @rule(who=INDEX, turns=st.integers(1, 4))
    def turn(self, who: int, turns: int) -> None:
        for _ in range(turns):
            self._with(who, self.fleet.turn)

    @rule(who=INDEX, slow=st.integers(1, 20), values=st.lists(VALUES, min_size=1, max_size=6), turns=st.integers(1, 3))
    def turn_with_slow_work(self, who: int, slow: int, values: list[bytes], turns: int) -> None:
        for partition in range(PARTITIONS):
            self.produce(values, partition, old=False)
        self.fleet.moods.slow = slow
        self.turn(who, turns)

    @precondition(lambda self: len(self.fleet.workers) < 4)
    @rule(who=INDEX, slow=st.integers(0, 1), after_commit=st.booleans())
    def transaction_fails_while_partitions_go(self, who: int, slow: int, after_commit: bool) -> None:
        for partition in range(PARTITIONS):
            self.produce([b"ok"] * 6, partition, old=False)
        self.fleet.moods.slow = slow
        self.next_transaction_fails(who, TransactionAborted("abort"), after_commit)
        self.turn(who, 1 + slow)
        self.fleet.join()
        self.turn(who, 1)

    @precondition(lambda self: len(self.fleet.workers) < 4)
    @rule(who=INDEX, seconds=st.floats(0.1, 8.0), slow=st.integers(0, 2))
    def redis_goes_away_while_partitions_go(self, who: int, seconds: float, slow: int) -> None:
        for partition in range(PARTITIONS):
            self.produce([b"ok", b"cached"], partition, old=False)
        self.redis_goes_away(seconds)
        self.fleet.moods.slow = slow
        self.turn(who, 1)
        self.fleet.join()
        self.turn(who, 2)

    @rule(who=INDEX, turns=st.integers(1, 3))
    def expel_and_turn(self, who: int, turns: int) -> None:
        self.expel(who)
        self.turn(who, turns)

    @rule(who=INDEX)
    def leave(self, who: int) -> None:
        self._with(who, self.fleet.leave)

    @rule(who=INDEX)
    def crash(self, who: int) -> None:
        self._with(who, self.fleet.crash)

    @rule(who=INDEX)
    def expel(self, who: int) -> None:
        self._with(who, lambda worker: worker.source.expel())

    @rule(who=INDEX)
    def transaction_ends(self, who: int) -> None:
        self._with(who, lambda worker: worker.committer.run_next())

    @rule(who=INDEX, stuck=st.booleans())
    def transactions_hang(self, who: int, stuck: bool) -> None:
        self._with(who, lambda worker: setattr(worker.committer, "stuck", stuck))

    @precondition(lambda self: bool(self.fleet.zombies))
    @rule()
    def transaction_of_a_dead_worker_arrives(self) -> None:
        self.fleet.zombies[0].run_next()

    @rule(
        who=INDEX,
        error=st.sampled_from([TransactionAborted("abort"), BrokerUnavailable("away"), ConfigError("refused")]),
        after_commit=st.booleans(),
    )
    def next_transaction_fails(self, who: int, error: Exception, after_commit: bool) -> None:
        def fail(worker: Worker) -> None:
            worker.sink.failures = [error]
            worker.sink.after_commit = after_commit

        self._with(who, fail)

    @rule(
        error=st.sampled_from([RuntimeError("bug"), ModelError("gone"), BrokerUnavailable("away"), None]),
        in_begin=st.booleans(),
    )
    def next_step_raises(self, error: Exception | None, in_begin: bool) -> None:
        self.fleet.moods.have_raised |= error is not None
        setattr(self.fleet.moods, "raises_in_begin" if in_begin else "raises_in_results", error)

    @rule(slow=st.integers(1, 20))
    def next_batch_is_slow(self, slow: int) -> None:
        self.fleet.moods.slow = slow

    @rule(seconds=st.floats(0.1, 8.0))
    def redis_goes_away(self, seconds: float) -> None:
        self.fleet.moods.outage_until_s = self.fleet.clock.monotonic() + seconds

    @rule(who=INDEX, what=st.sampled_from(["turn", "expel", "join", "crash", "leave", "transaction_ends"]))
    def meanwhile(self, who: int, what: str) -> None:
        """While the next worker waits for something, this happens."""
        happenings: dict[str, Callable[[], object]] = {
            "turn": lambda: self._with(who, self.fleet.turn),
            "expel": functools.partial(self.expel, who=who),
            "join": self.fleet.join,
            "crash": functools.partial(self.crash, who=who),
            "leave": functools.partial(self.leave, who=who),
            "transaction_ends": functools.partial(self.transaction_ends, who=who),
        }
        if len(self.fleet.clock.meanwhile) < 6:
            self.fleet.clock.meanwhile.append(happenings[what])

    @invariant()
    def outcomes_and_commits_agree(self) -> None:
        if hasattr(self, "fleet"):
            self.fleet.check()

    def teardown(self) -> None:
        if hasattr(self, "fleet"):
            self.fleet.settle()

    def _with(self, who: int, do: Callable[[Worker], object]) -> None:
        if self.fleet.workers:
            do(self.fleet.workers[who % len(self.fleet.workers)])


TestLoopStateMachine = FleetMachine.TestCase
TestLoopStateMachine.settings = settings(
    max_examples=400, stateful_step_count=40, deadline=None, suppress_health_check=list(HealthCheck)
)
