"""A store, runners and threads that do what a test says, when it says so."""

from __future__ import annotations

import random
from collections import deque
from collections.abc import Callable, Sequence
from concurrent.futures import Future
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from tests.model_store.serving.real_models import SILENT
from vss.config import ModelSettings
from vss.errors import ModelNotFound
from vss.metrics import Metrics
from vss.model_store.manifest import Manifest
from vss.model_store.resolve import ModelRef
from vss.model_store.runner.answer import Answer
from vss.model_store.runner.picture import Picture
from vss.model_store.runner.threads import Work
from vss.model_store.serving.memory import AcceleratorMemory
from vss.model_store.serving.result_cache import ResultCache
from vss.model_store.serving.serving import Serving
from vss.testing import ManualClock


class DeferredThreads:
    """Does work when told (see `Threads`).

    Attributes:
        inline: While true, at once, unless something is being done: then after it.
    """

    def __init__(self, *, inline: bool = False) -> None:
        self.inline = inline
        self.waiting: deque[Work] = deque()
        self.closed = False
        self._busy = False

    def submit(self, work: Work) -> None:
        if self.closed:
            work.drop()
            return
        self.waiting.append(work)
        if self.inline:
            self.run_all()

    def run_next(self) -> bool:
        if self._busy or not self.waiting:
            return False
        self._busy = True
        try:
            self.waiting.popleft().run()
        finally:
            self._busy = False
        return True

    def run_all(self) -> None:
        while self.run_next():
            pass

    def at_least(self, count: int) -> None:
        pass

    def problems(self) -> list[str]:
        return []

    def close(self) -> None:
        self.closed = True
        while self.waiting:
            self.waiting.popleft().drop()


class FakeTask:
    """Says of each picture which version looked at it."""

    labels: tuple[str, ...] = ()
    input_wh = (8, 8)
    result_type: Any = str

    def __init__(self) -> None:
        self.facts: dict[str, str] = {}

    def classes_in(self, result: str) -> list[str]:
        return [result]


@dataclass(eq=False)
class FakeRunner:
    """Answers when told; the smoke picture at once.

    Attributes:
        pending: What was asked and has no answer yet.
        breaks: What warming it up raises.
    """

    ref: ModelRef
    breaks: Exception | None = None
    pending: list[Future[Answer[Any]]] = field(default_factory=list)
    asked: int = 0
    calls: list[int] = field(default_factory=list)
    warm_ups: int = 0
    meanwhile: Callable[[], None] = lambda: None
    closed: bool = False
    proven: bool = False
    task: Any = field(default_factory=FakeTask)

    def submit(self, pictures: Sequence[Picture]) -> list[Future[Answer[Any]]]:
        assert not self.closed, f"{self.ref.name}@{self.ref.version} is asked after it was unloaded"
        futures: list[Future[Answer[Any]]] = [Future() for _ in pictures]
        if not self.proven:
            self.proven = True
            futures[0].set_result(self.answer())
            return futures
        self.calls.append(len(pictures))
        self.pending += futures
        return futures

    def warm(self) -> None:
        self.warm_ups += 1
        self.meanwhile()
        if self.breaks is not None:
            raise self.breaks

    def close(self) -> None:
        at_work = [future for future in self.pending if not future.cancelled()]
        assert not at_work, "a model is unloaded with records at work in it"
        self.closed = True

    def answer(self, call_s: float = 0.01) -> Answer[Any]:
        return Answer(f"{self.ref.name}@{self.ref.version}", call_s / 2, call_s, 8, 8, None, call_s)

    def finish(self, *, error: Exception | None = None, call_s: float = 0.01, count: int | None = None) -> None:
        """Answers the oldest."""
        done, self.pending = self.pending[:count], self.pending[count:] if count is not None else []
        for future in done:
            if not future.set_running_or_notify_cancel():
                continue
            if error is not None:
                future.set_exception(error)
            else:
                future.set_result(self.answer(call_s))


@dataclass
class FakeStore:
    """Models by name and version, and what goes wrong with them (see `Finder`).

    Attributes:
        errors: What the next looks for a version raise, one each.
        broken: What warming up a version raises.
        meanwhile: Happens while a model is warmed up: the loop goes on beside the loader.
    """

    versions: dict[str, list[str]] = field(default_factory=dict)
    tasks: dict[str, str] = field(default_factory=dict)
    sizes: dict[str, int] = field(default_factory=dict)
    errors: dict[str, list[Exception]] = field(default_factory=dict)
    broken: dict[str, Exception] = field(default_factory=dict)
    runners: list[FakeRunner] = field(default_factory=list)
    looks: list[str] = field(default_factory=list)
    meanwhile: Callable[[], None] = lambda: None

    def knows(self, name: str) -> bool:
        return name in self.versions

    def find(self, name: str, version: str) -> ModelRef:
        self.looks.append(f"{name}@{version}")
        number = self.versions[name][-1] if version == "latest" else version
        if errors := self.errors.get(f"{name}@{number}"):
            raise errors.pop(0)
        if number not in self.versions[name]:
            raise ModelNotFound(f"no {name}@{version}")
        manifest = Manifest(task=self.tasks.get(name, "detection"), memory_bytes=self.sizes.get(name, 100))
        return ModelRef(name, number, Path(__file__), manifest)

    def file(self, path: Path) -> ModelRef:
        raise ModelNotFound(str(path))

    def open(self, ref: ModelRef) -> FakeRunner:
        runner = FakeRunner(ref, self.broken.get(f"{ref.name}@{ref.version}"), meanwhile=self.meanwhile)
        self.runners.append(runner)
        return runner

    # For tests.

    def open_now(self) -> list[str]:
        """What is in memory."""
        return sorted(f"{r.ref.name}@{r.ref.version}" for r in self.runners if not r.closed)

    def runner(self, spec: str) -> FakeRunner:
        """The one of a version that is in memory."""
        [runner] = [r for r in self.runners if not r.closed and f"{r.ref.name}@{r.ref.version}" == spec]
        return runner

    def finish_all(self) -> None:
        while any(runner.pending for runner in self.runners):
            for runner in self.runners:
                runner.finish()


class FakeMemory:
    """An accelerator of so many bytes, on which open models hold what they say (see `AcceleratorMemory`)."""

    def __init__(self, store: FakeStore, total_bytes: int) -> None:
        self._store = store
        self.total_bytes = total_bytes

    def used_bytes(self) -> int:
        return sum(r.ref.manifest.memory_bytes or 0 for r in self._store.runners if not r.closed)

    def free_bytes(self) -> int:
        return self.total_bytes - self.used_bytes()


@dataclass
class Rig:
    """A server over fakes."""

    serving: Serving
    store: FakeStore
    loads: DeferredThreads
    clock: ManualClock
    metrics: Metrics

    def value(self, name: str, **labels: str) -> float | None:
        return self.metrics.registry.get_sample_value(name, labels)


def make_rig(
    versions: dict[str, list[str]],
    *,
    memory: AcceleratorMemory | None = None,
    cache: ResultCache | None = None,
    inline: bool = True,
    store: FakeStore | None = None,
    **settings: object,
) -> Rig:
    kept = store if store is not None else FakeStore()
    kept.versions.update(versions)
    loads, clock, metrics = DeferredThreads(inline=inline), ManualClock(), Metrics()
    serving = Serving(
        ModelSettings.model_validate(settings),
        finder=kept,
        open_runner=kept.open,
        loads=loads,
        calls=DeferredThreads(),
        memory=memory,
        cache=cache,
        metrics=metrics,
        clock=clock,
        random=random.Random(7),
        logger=SILENT,
    )
    return Rig(serving, kept, loads, clock, metrics)
