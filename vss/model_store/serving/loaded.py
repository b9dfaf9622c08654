"""The models in memory: as many as may be, the least recently used idle one goes first.

A *lease* holds a model while records are at work in it; a *pin* holds the versions of a model whose swap is under way,
or that another one is judged against. Neither is ever unloaded. A *retired* model goes as soon as nobody holds it.
"""

from __future__ import annotations

import itertools
import threading
from collections.abc import Collection
from dataclasses import dataclass
from typing import Final

from vss.clock import Clock, Deadline
from vss.config import ModelSettings
from vss.errors import ModelTooLarge
from vss.metrics import Metrics
from vss.model_store.resolve import ModelRef
from vss.model_store.serving.loaded_runner import LoadedRunner
from vss.model_store.serving.memory import AcceleratorMemory
from vss.model_store.serving.plan import ModelVersion

_PATIENCE_S: Final = 60.0
_POLL_S: Final = 1.0
_GB: Final = 1e9


@dataclass(eq=False, slots=True)
class LoadedModel:
    """One model in memory.

    Attributes:
        key: Which version of which model.
        runner: Answers.
        ref: What it was loaded from.
        held_bytes: What it is taken to hold.
        identity: Changes with whatever changes its answers (see `result_cache`).
        leases: Records at work in it.
        retired: Whether it goes when nobody holds it.
        used: Counts up with each use of any model.
    """

    key: ModelVersion
    runner: LoadedRunner
    ref: ModelRef
    held_bytes: int
    identity: bytes = b""
    leases: int = 0
    retired: bool = False
    used: int = 0


class LoadedModels:
    """All models in memory. Thread-safe; `make_room`, `add` and `sweep` are called by one thread at a time.

    Args:
        settings: How many, and how large they may be together.
        memory: Of the accelerator; None where models run on the CPU.
        metrics: Where they are counted.
        clock: For waits.
    """

    def __init__(
        self, settings: ModelSettings, *, memory: AcceleratorMemory | None, metrics: Metrics, clock: Clock
    ) -> None:
        self._settings = settings
        self._memory = memory
        self._metrics = metrics
        self._clock = clock
        self._lock = threading.Lock()
        self._models: dict[ModelVersion, LoadedModel] = {}
        self._pins: dict[str, frozenset[ModelVersion]] = {}
        self._uses = itertools.count(1)
        self._freed = threading.Event()
        if memory is not None:
            metrics.gpu_memory.set_function(memory.used_bytes)

    def in_memory(self) -> set[ModelVersion]:
        """Which versions are there."""
        with self._lock:
            return set(self._models)

    def lease(self, key: ModelVersion, count: int) -> LoadedModel | None:
        """Holds a model for that many records; None when it is not in memory."""
        with self._lock:
            model = self._models.get(key)
            if model is not None:
                model.leases += count
                model.used = next(self._uses)
            return model

    def release(self, model: LoadedModel, count: int = 1) -> bool:
        """Records are done with it; returns whether it is to be swept now."""
        with self._lock:
            model.leases -= count
            if model.leases:
                return False
            self._freed.set()
            return model.retired

    def runner_of(self, key: ModelVersion) -> LoadedRunner | None:
        """What answers for a version; None when it is not in memory."""
        with self._lock:
            model = self._models.get(key)
            return model.runner if model is not None else None

    def pin(self, name: str, keys: Collection[ModelVersion]) -> None:
        """Holds exactly these versions of a model, whether in memory or not."""
        with self._lock:
            self._pins[name] = frozenset(keys)

    def retire(self, keys: Collection[ModelVersion]) -> None:
        """Nobody asks for them any more: they go when nobody holds them."""
        with self._lock:
            for key in keys:
                if key in self._models:
                    self._models[key].retired = True

    def revive(self, key: ModelVersion) -> bool:
        """Takes a model back into service; returns whether it is in memory."""
        with self._lock:
            model = self._models.get(key)
            if model is None:
                return False
            model.retired = False
            model.used = next(self._uses)
            return True

    def make_room(self, key: ModelVersion, needed_bytes: int) -> None:
        """Unloads what has to go before a model of that size is loaded; waits for records to leave it.

        Raises:
            ModelTooLarge: It does not fit beside what must stay, or what is in use stayed in use for a minute.
        """
        deadline = Deadline.after(_PATIENCE_S, self._clock)
        while True:
            self._freed.clear()
            with self._lock:
                lacking = self._lacking(needed_bytes, without=frozenset())
                if lacking is None:
                    return
                hopeless = self._lacking(needed_bytes, without=frozenset(self._models.keys() - self._pinned()))
                victim = self._idle_longest() if hopeless is None else None
                if victim is not None:
                    del self._models[victim.key]
            if hopeless is not None or (victim is None and deadline.passed()):
                raise ModelTooLarge(
                    f"{key} needs {needed_bytes / _GB:.2f} GB, and {hopeless or lacking}",
                    fix="raise model.max_loaded, model.max_loaded_bytes or model.max_accelerator_bytes, "
                    "or give memory_bytes in model.yaml",
                )
            if victim is not None:
                self._unload(victim)
            else:
                self._clock.wait(self._freed, min(_POLL_S, deadline.remaining_s()))

    def add(self, model: LoadedModel) -> None:
        """A model has been loaded. Where it is in memory already, that one stays and the new one is freed.

        So it is when a load took too long, was given up and tried again, and then both came to an end.
        """
        with self._lock:
            held = self._models.setdefault(model.key, model)
            held.used = next(self._uses)
            held.retired = False
        if held is not model:
            model.runner.close()
        self._count()

    def sweep(self) -> None:
        """Unloads what is retired and held by nobody."""
        with self._lock:
            pinned = self._pinned()
            gone = [m for m in self._models.values() if m.retired and not m.leases and m.key not in pinned]
            for model in gone:
                del self._models[model.key]
        for model in gone:
            self._unload(model)

    def close(self) -> None:
        """Unloads all, in use or not: no more answers are waited for."""
        with self._lock:
            models = list(self._models.values())
            self._models.clear()
        for model in models:
            self._unload(model)

    def _pinned(self) -> frozenset[ModelVersion]:
        return frozenset().union(*self._pins.values())

    def _idle_longest(self) -> LoadedModel | None:
        pinned = self._pinned()
        idle = [m for m in self._models.values() if not m.leases and m.key not in pinned]
        return min(idle, key=lambda m: m.used, default=None)

    def _lacking(self, needed_bytes: int, *, without: frozenset[ModelVersion]) -> str | None:
        """Why a model of that size does not fit beside all but these; None when it does."""
        settings = self._settings
        held = [m.held_bytes for m in self._models.values() if m.key not in without]
        if len(held) >= settings.max_loaded:
            return f"{len(held)} models are held, as many as may be"
        if sum(held) + needed_bytes > settings.max_loaded_bytes:
            return f"{sum(held) / _GB:.2f} of {settings.max_loaded_bytes / _GB:.2f} GB for models are held"
        if self._memory is None:
            return None
        if settings.max_accelerator_bytes is not None and sum(held) + needed_bytes > settings.max_accelerator_bytes:
            limit = settings.max_accelerator_bytes
            return f"{sum(held) / _GB:.2f} of {limit / _GB:.2f} GB for models on the accelerator are held"
        freed = sum(m.held_bytes for m in self._models.values() if m.key in without)
        free = self._memory.free_bytes() + freed
        return f"{free / _GB:.2f} GB are free on the accelerator" if needed_bytes > free else None

    def _unload(self, model: LoadedModel) -> None:
        model.runner.close()
        self._metrics.model_unloads.labels(model.key.name).inc()
        self._count()

    def _count(self) -> None:
        with self._lock:
            count, held = len(self._models), sum(m.held_bytes for m in self._models.values())
        self._metrics.models_loaded.set(count)
        self._metrics.models_loaded_bytes.set(held)
