"""The models in memory, whatever is leased, pinned, retired and loaded in whatever order."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule

from tests.model_store.serving.fakes import FakeMemory, FakeRunner, FakeStore
from vss.config import ModelSettings
from vss.errors import ModelTooLarge
from vss.metrics import Metrics
from vss.model_store.manifest import Manifest
from vss.model_store.resolve import ModelRef
from vss.model_store.serving.loaded import LoadedModel, LoadedModels
from vss.model_store.serving.plan import ModelVersion
from vss.testing import ManualClock

MOST, MOST_BYTES, ON_DEVICE = 4, 500, 450
names = st.sampled_from("abcdefg")


class LoadedMachine(RuleBasedStateMachine):
    """Holds `LoadedModels` against a plain list of names in the order of their use."""

    def __init__(self) -> None:
        super().__init__()
        self.store = FakeStore()
        self.metrics = Metrics()
        self.loaded = LoadedModels(
            ModelSettings(max_loaded=MOST, max_loaded_bytes=MOST_BYTES),
            memory=FakeMemory(self.store, ON_DEVICE),
            metrics=self.metrics,
            clock=ManualClock(),
        )
        self.leases: list[LoadedModel] = []
        self.pins: dict[str, set[str]] = {}
        self.retired: set[str] = set()
        self.order: list[str] = []
        self.sizes: dict[str, int] = {}

    def held(self, name: str) -> bool:
        leased = any(model.key.name == name for model in self.leases)
        return leased or any(name in pinned for pinned in self.pins.values())

    def used(self, name: str) -> None:
        self.order.remove(name)
        self.order.append(name)

    def fits(self, size: int, among: list[str]) -> bool:
        held = sum(self.sizes[name] for name in among)
        return len(among) < MOST and held + size <= min(MOST_BYTES, ON_DEVICE)

    @rule(name=names, size=st.sampled_from([1, 100, 200, 480]))
    def load(self, name: str, size: int) -> None:
        key = ModelVersion(name, "1")
        if name in self.order:
            assert self.loaded.revive(key)
            self.retired.discard(name)
            self.used(name)
            return
        assert not self.loaded.revive(key)
        stays = [other for other in self.order if self.held(other)]
        if not self.fits(size, stays):
            before = list(self.store.open_now())
            with pytest.raises(ModelTooLarge):
                self.loaded.make_room(key, size)
            pinned = [other for other in stays if any(other in pins for pins in self.pins.values())]
            if not self.fits(size, pinned):
                assert self.store.open_now() == before, "what could never fit unloads nothing"
            self.order = [name for name in self.order if f"{name}@1" in self.store.open_now()]
            return
        self.loaded.make_room(key, size)
        while not self.fits(size, self.order):
            gone = next(other for other in self.order if not self.held(other))
            self.order.remove(gone)
            self.retired.discard(gone)
        assert self.store.open_now() == sorted(f"{other}@1" for other in self.order), "the least recently used go"
        ref = ModelRef(name, "1", Path(__file__), Manifest(memory_bytes=size))
        runner = FakeRunner(ref)
        self.store.runners.append(runner)
        self.loaded.add(LoadedModel(key, runner, ref, size))
        self.order.append(name)
        self.sizes[name] = size

    @rule(name=names, count=st.integers(1, 3))
    def lease(self, name: str, count: int) -> None:
        model = self.loaded.lease(ModelVersion(name, "1"), count)
        assert (model is not None) == (name in self.order)
        if model is not None:
            self.leases += [model] * count
            self.used(name)

    @precondition(lambda self: self.leases)
    @rule(data=st.data())
    def release(self, data: st.DataObject) -> None:
        model = data.draw(st.sampled_from(self.leases))
        self.leases.remove(model)
        sweep = self.loaded.release(model)
        assert sweep == (model.key.name in self.retired and model not in self.leases)

    @rule(name=names, pinned=st.sets(names, max_size=2))
    def pin(self, name: str, pinned: set[str]) -> None:
        self.pins[name] = pinned
        self.loaded.pin(name, {ModelVersion(one, "1") for one in pinned})

    @rule(retired=st.sets(names, max_size=2))
    def retire(self, retired: set[str]) -> None:
        self.loaded.retire([ModelVersion(name, "1") for name in retired])
        self.retired |= retired & set(self.order)

    @rule()
    def sweep(self) -> None:
        self.loaded.sweep()
        gone = {name for name in self.retired if not self.held(name)}
        self.order = [name for name in self.order if name not in gone]
        self.retired -= gone

    @invariant()
    def what_is_held_is_open_and_what_is_not_listed_is_closed(self) -> None:
        assert self.store.open_now() == sorted(f"{name}@1" for name in self.order)
        assert all(not model.runner.closed for model in self.leases)  # type: ignore[union-attr]
        assert len(self.order) <= MOST
        held = sum(self.sizes[name] for name in self.order)
        assert held <= min(MOST_BYTES, ON_DEVICE)
        value = self.metrics.registry.get_sample_value
        assert value("vss_models_loaded_bytes") == held
        assert value("gpu_memory_usage_bytes") == held

    def teardown(self) -> None:
        self.loaded.close()
        assert self.store.open_now() == []


TestLoaded = LoadedMachine.TestCase
TestLoaded.settings = settings(max_examples=40, stateful_step_count=30, deadline=None)
