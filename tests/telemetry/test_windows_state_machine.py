"""Whoever joins, leaves, crashes or is thrown out: windows and events are those of one worker alone.

A Hypothesis state machine over the twin of Kafka, with the real loop and the real step: readings arrive in order, out
of order, twice, late, with values missing and after gaps; transactions fail before and after they are durable or arrive
when their worker is long dead; models fail. After every step what is committed equals what the plain rule says of the
log, and at the end what one undisturbed worker makes of it.
"""

from __future__ import annotations

import functools
from collections.abc import Callable

from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule

from tests.streams.windows.logs import rules
from tests.streams.windows.reference import Rules
from tests.telemetry.sensor_fleet import SensorFleet
from tests.workers.small_fleet import PARTITIONS, Worker
from vss.config import LoopSettings
from vss.errors import BrokerUnavailable, ConfigError, InferenceFailed, StoreUnavailable, TransactionAborted

INDEX = st.integers(0, 7)
PARTITION = st.integers(0, PARTITIONS - 1)
STEPS = st.lists(
    st.tuples(st.integers(0, 2), st.sampled_from([10, 10, 10, 10, 5, 0, -5, -10, -30, 45, 300]), st.booleans()),
    min_size=1,
    max_size=8,
)


class WindowsMachine(RuleBasedStateMachine):
    fleet: SensorFleet

    @initialize(windows=rules(), max_batch=st.integers(1, 6), batches_in_flight=st.integers(1, 3))
    def begin(self, windows: Rules, max_batch: int, batches_in_flight: int) -> None:
        settings = LoopSettings(max_batch=max_batch, batches_in_flight=batches_in_flight)
        self.fleet = SensorFleet(settings, rules=windows)
        self.failed = False
        self.clocks: dict[tuple[int, int], int] = {}
        self.fleet.join()

    @rule(partition=PARTITION, steps=STEPS, keeps_back=st.booleans())
    def read(self, partition: int, steps: list[tuple[int, int, bool]], keeps_back: bool) -> None:
        for key, step_ms, missing in steps:
            ts_ms = self.clocks.get((partition, key), 1000) + step_ms
            self.clocks[partition, key] = ts_ms if keeps_back else max(ts_ms, self.clocks.get((partition, key), 0))
            self.fleet.read(partition, key, ts_ms, missing=missing)

    @rule(partition=PARTITION, key=st.integers(0, 2), count=st.integers(1, 12))
    def read_in_order(self, partition: int, key: int, count: int) -> None:
        self.read(partition, [(key, 10, False)] * count, False)

    @rule(partition=PARTITION)
    def write_what_is_no_reading(self, partition: int) -> None:
        self.fleet.junk(partition)

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

    @rule(who=INDEX, turns=st.integers(1, 4))
    def work(self, who: int, turns: int) -> None:
        for _ in range(turns):
            self._with(who, self.fleet.turn)
            self.transaction_ends(who)

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

    @precondition(lambda self: not self.failed)
    @rule(error=st.sampled_from([RuntimeError("bug"), InferenceFailed("this once")]))
    def a_model_fails_once(self, error: Exception) -> None:
        # A second time may make a dead letter, which is right but not what the plain rule says.
        self.failed = True
        self.fleet.failures.append(error)

    @rule(times=st.integers(1, 3))
    def a_model_is_away_for_a_while(self, times: int) -> None:
        self.fleet.failures += [StoreUnavailable("away")] * times

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
    def what_is_committed_is_what_the_rule_says(self) -> None:
        if hasattr(self, "fleet"):
            self.fleet.check()

    def teardown(self) -> None:
        if hasattr(self, "fleet"):
            self.fleet.settle()

    def _with(self, who: int, do: Callable[[Worker], object]) -> None:
        if self.fleet.workers:
            do(self.fleet.workers[who % len(self.fleet.workers)])


TestWindowsStateMachine = WindowsMachine.TestCase
TestWindowsStateMachine.settings = settings(
    max_examples=100, stateful_step_count=40, deadline=None, suppress_health_check=list(HealthCheck)
)
