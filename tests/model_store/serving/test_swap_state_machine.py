"""Whatever happens in whatever order: one answer a request, from a version that served when it was asked, no leak."""

from __future__ import annotations

import threading
from collections import deque
from collections.abc import Callable
from concurrent.futures import CancelledError, Future
from dataclasses import dataclass
from typing import Any

from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule

from tests.model_store.serving.fakes import FakeStore, make_rig
from tests.model_store.serving.real_models import activation, request
from vss.errors import InferenceFailed, ModelCorrupt, ModelError, StoreUnavailable, UndecodableImage, UnknownModel
from vss.model_store.serving.serving import Breach, SwapResult
from vss.schemas.models import ServingLimits
from vss.testing import ManualClock

VERSIONS = ["1", "2", "3"]
NAMES = ["gate", "yard"]
MOST_LOADED = 3

names = st.sampled_from(NAMES)
versions = st.sampled_from(VERSIONS)
keys = st.lists(st.sampled_from([f"cam-{i}" for i in range(12)]), min_size=1, max_size=5)


class BusyClock(ManualClock):
    """While the loader waits, something else happens."""

    def __init__(self, meanwhile: Callable[[], None]) -> None:
        super().__init__()
        self.meanwhile = meanwhile

    def wait(self, event: threading.Event, timeout_s: float) -> bool:
        self.meanwhile()
        return super().wait(event, timeout_s)


@dataclass
class Asked:
    """A request under way, and who may answer it."""

    future: Future[Any]
    expected: str | None
    cancelled: bool = False


class SwapMachine(RuleBasedStateMachine):
    """A loop that submits, a loader and a fleet that activates, taking turns at every point where they can."""

    def __init__(self) -> None:
        super().__init__()
        store = FakeStore()
        store.meanwhile = self.happen
        self.rig = make_rig(dict.fromkeys(NAMES, VERSIONS), store=store, max_loaded=MOST_LOADED, max_group=2)
        clock = BusyClock(self.happen)
        for holder in (self.rig.serving._loaded, self.rig.serving._dealer._swaps._loader):
            holder._clock = clock
        self.asked: list[Asked] = []
        self.applied: list[Future[SwapResult]] = []
        self.breaches: list[Breach] = []
        self.activations = 0
        self.meanwhile: deque[Callable[[], None]] = deque()
        self.rig.serving.on_breach = self.breaches.append

    @initialize(version=versions)
    def start(self, version: str) -> None:
        self.rig.serving.apply(activation("gate", version), given_up=False)
        self.rig.serving.serve("gate", "detection")
        self.rig.loads.inline = False

    def happen(self) -> None:
        if self.meanwhile:
            self.meanwhile.popleft()()

    # What the loop does.

    def _submit(self, some: list[str], model: str | None) -> None:
        plan = self.rig.serving._plans.get(model or "gate")
        futures = self.rig.serving.submit([request(key, model=model) for key in some])
        for key, future in zip(some, futures, strict=True):
            expected = str(plan.version_for(key.encode())) if plan is not None else None
            self.asked.append(Asked(future, expected))

    @rule(some=keys, model=st.sampled_from([None, "gate", "yard", "yard@2", "nobody"]))
    def submit(self, some: list[str], model: str | None) -> None:
        self._submit(some, model)

    @rule(some=keys, model=st.sampled_from([None, "yard"]))
    def submit_while_something_loads(self, some: list[str], model: str | None) -> None:
        self.meanwhile.append(lambda: self._submit(some, model))

    @rule()
    def answer_while_something_loads(self) -> None:
        self.meanwhile.append(self._answer_all)

    def _answer_all(self) -> None:
        for runner in list(self.rig.store.runners):
            runner.finish()

    @precondition(lambda self: self.asked)
    @rule(data=st.data())
    def cancel(self, data: st.DataObject) -> None:
        one = data.draw(st.sampled_from(self.asked))
        one.cancelled = one.future.cancel() or one.cancelled

    # What models do.

    @precondition(lambda self: any(runner.pending for runner in self.rig.store.runners))
    @rule(
        data=st.data(),
        outcome=st.sampled_from([None, InferenceFailed("boom"), UndecodableImage("bad")]),
        call_s=st.sampled_from([0.01, 0.5]),
        count=st.integers(1, 4),
    )
    def answer(self, data: st.DataObject, outcome: Exception | None, call_s: float, count: int) -> None:
        busy = [runner for runner in self.rig.store.runners if runner.pending]
        data.draw(st.sampled_from(busy)).finish(error=outcome, call_s=call_s, count=count)

    # What the fleet does.

    @rule(
        name=names,
        version=versions,
        stable=st.none() | versions,
        percent=st.sampled_from([1, 50, 100]),
        judged=st.booleans(),
        given_up=st.booleans(),
    )
    def apply(self, name: str, version: str, stable: str | None, percent: int, judged: bool, given_up: bool) -> None:
        self.activations += 1
        limits = ServingLimits(max_error_rate=0.4, max_p95_ms=100, min_requests=2) if judged else None
        asked = activation(name, version, stable=stable, percent=percent, limits=limits, id=str(self.activations))
        self.applied.append(self.rig.serving.apply(asked, given_up=given_up))

    @rule(
        name=names,
        version=versions,
        error=st.sampled_from([StoreUnavailable("away"), ModelCorrupt("bad")]),
        times=st.integers(1, 6),
    )
    def break_a_load(self, name: str, version: str, error: Exception, times: int) -> None:
        self.rig.store.errors[f"{name}@{version}"] = [error] * times

    @rule(name=names, version=versions, breaks=st.booleans())
    def break_a_version(self, name: str, version: str, breaks: bool) -> None:
        self.rig.store.broken.pop(f"{name}@{version}", None)
        if breaks:
            self.rig.store.broken[f"{name}@{version}"] = RuntimeError("no kernel")

    @rule(count=st.integers(1, 3))
    def load(self, count: int) -> None:
        for _ in range(count):
            self.rig.loads.run_next()

    @rule(seconds=st.sampled_from([1.0, 40.0]))
    def time_passes(self, seconds: float) -> None:
        self.rig.clock.advance(seconds)

    # What must be true.

    @invariant()
    def models_in_memory_are_those_that_are_counted(self) -> None:
        loaded = sorted(str(key) for key in self.rig.serving._loaded.in_memory())
        assert self.rig.store.open_now() == loaded
        assert len(loaded) <= MOST_LOADED
        assert (self.rig.value("vss_models_loaded") or 0) == len(loaded)

    @invariant()
    def a_version_that_is_judged_has_its_way_back_loaded(self) -> None:
        for name in NAMES:
            plan = self.rig.serving._plans.get(name)
            if plan is not None and plan.judge is not None:
                assert set(plan.versions()) <= self.rig.serving._loaded.in_memory()

    @invariant()
    def every_breach_is_told_once(self) -> None:
        ids = [breach.activation.id for breach in self.breaches]
        assert len(ids) == len(set(ids))

    @invariant()
    def answers_come_from_who_served(self) -> None:
        for one in self.asked:
            if one.future.done() and not one.cancelled:
                self._check(one)

    def _check(self, one: Asked) -> None:
        try:
            served = one.future.result(0)
        except (UnknownModel, StoreUnavailable, InferenceFailed, UndecodableImage, ModelError, CancelledError):
            return
        assert served.answer.value == f"{served.name}@{served.version}", "stamped with the version that answered"
        if one.expected is not None:
            assert served.answer.value == one.expected

    def teardown(self) -> None:
        self.meanwhile.clear()
        self.rig.store.errors.clear()
        for _ in range(100):
            self.rig.loads.run_all()
            self._answer_all()
        self.models_in_memory_are_those_that_are_counted()
        assert all(one.future.done() or one.cancelled for one in self.asked), "a request without an answer"
        for one in self.asked:
            if not one.cancelled:
                self._check(one)
        results = [future.result(0) for future in self.applied]
        assert all(result.swapped != bool(result.reason) for result in results)
        assert not any(model.leases for model in self.rig.serving._loaded._models.values()), "a lease is left"
        self.rig.serving.close()
        assert self.rig.store.open_now() == []


TestSwaps = SwapMachine.TestCase
TestSwaps.settings = settings(
    max_examples=30, stateful_step_count=30, deadline=None, suppress_health_check=[HealthCheck.too_slow]
)
