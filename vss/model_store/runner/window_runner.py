"""A runner of a model that looks at windows of readings: the model, its task, and the threads it runs on."""

from __future__ import annotations

import math
import time
from concurrent.futures import Future
from typing import Final, cast

import numpy as np

from vss.config import ModelSettings
from vss.errors import ConfigError, InferenceFailed, ModelUnsupported, SmokeFailed
from vss.metrics import Metrics
from vss.model_store.backends.load import open_model
from vss.model_store.backends.model import Model
from vss.model_store.backends.onnx import OnnxModel, usable_cores
from vss.model_store.resolve import ModelRef
from vss.model_store.runner.model_use import ModelUse
from vss.model_store.runner.report import RunnerReport
from vss.model_store.runner.runner import model_threads
from vss.model_store.runner.threads import Threads
from vss.model_store.runner.window_calls import WindowBatch, WindowCalls
from vss.model_store.tasks.registry import task_kind
from vss.model_store.tasks.series.imputing import Windows
from vss.model_store.tasks.series.results import ScoredWindows
from vss.model_store.tasks.series.spec import SeriesSpec
from vss.model_store.tasks.series.task import SeriesTask

# Windows a call on the CPU, where each core makes calls of its own; `warm` tries them out. CPU time a window of an LSTM
# autoencoder (two of 32 units, windows of 100 × 2) on two cores at work: 66 µs with 8 a call, 63 with 32, 68 with 64,
# 84 with 512, whose states no longer fit the cache. Trees and linear models, whose work is small, are better with more.
CPU_WINDOWS: Final = 32
_CPU_PIECES: Final = (CPU_WINDOWS, 128, 512)
_TIMED: Final = 3
# What a larger call must save to be worth the wait of the windows in it.
_WORTH: Final = 0.9
# A call that takes longer is large enough.
_LONG_S: Final = 0.1
# An accelerator wants all at once, as far as its memory goes.
ACCELERATOR_WINDOWS: Final = 1024
# Of one call's input, however long its windows are.
_CALL_BYTES: Final = 64 << 20
_FLOAT_BYTES: Final = 4
_TRIED: Final = 3


class WindowRunner:
    """Answers windows with one version of one model. Thread-safe; make it with `load`.

    Attributes:
        ref: Which version of which model.
        name: Of the model.
        version: Of the model.
        task: What comes after the model.
        spec: What it was trained with.
        providers: What runs it, first choice first.
        on_cpu: Whether the CPU does all the work.
        threads: Calls under way at once.
        piece: Windows a call may have.
    """

    def __init__(
        self, ref: ModelRef, calls: WindowCalls, *, threads: int, piece: int, pool: Threads, owns_pool: bool
    ) -> None:
        self.ref = ref
        self.name = ref.name
        self.version = ref.version
        self.task: SeriesTask = calls.task
        self.spec: SeriesSpec = calls.task.spec
        self.providers = calls.model.providers
        self.on_cpu = calls.model.on_cpu
        self.threads = threads
        self.piece = piece
        self._calls = calls
        self._pool = pool
        self._owns_pool = owns_pool

    @classmethod
    def load(
        cls,
        ref: ModelRef,
        settings: ModelSettings,
        *,
        metrics: Metrics | None = None,
        threads: Threads | None = None,
    ) -> WindowRunner:
        """Loads a model and finds out what it is.

        Args:
            ref: Which, and its manifest.
            settings: Where it runs.
            metrics: Where it is counted.
            threads: Shared with other runners; by default it has its own.

        Raises:
            ModelNotFound: There is no such file.
            ModelCorrupt: It is no model.
            ModelUnsupported: It looks at pictures, does not say what it was trained with, or its inputs or outputs are
                not those of its task.
            ConfigError: A runtime or the device is missing, or its manifest does not fit.
        """
        kind = task_kind(ref.manifest.task)
        load = kind.series_loader(ref)
        if settings.features is not None:
            raise ConfigError("--features is for models that look at pictures", fix="leave model.features out")
        model = open_model(ref, settings)
        try:
            task = load(ref, model, settings)
            names = cast("OnnxModel", model).output_names  # the task has seen that it has some
            calls = WindowCalls(
                model,
                ModelUse(model),
                task,
                [names.index(name) for name in task.outputs],
                name=ref.name,
                version=ref.version,
                report=RunnerReport(metrics, ref.name, kind.step_name) if metrics is not None else None,
            )
            _try(calls, model, ref)
        except BaseException:
            model.close()
            raise
        side_by_side = settings.threads or (usable_cores() if model.on_cpu else 1)
        pool = threads if threads is not None else model_threads(settings)
        pool.at_least(side_by_side)
        piece = _most(task.spec, CPU_WINDOWS if model.on_cpu else ACCELERATOR_WINDOWS)
        return cls(ref, calls, threads=side_by_side, piece=piece, pool=pool, owns_pool=threads is None)

    def submit(self, windows: Windows) -> Future[ScoredWindows]:
        """Starts work on windows, on the runner's threads.

        Args:
            windows: Shape (n, readings, features), float32, raw units, in the model's order of features; NaN where a
                value is missing, which the model's own rule fills. Not to be written to before there is a result.

        Returns:
            What is said about them, a row a window. What goes wrong with some of them is in `ScoredWindows.failed`.

        Raises:
            ValueError: They have another shape, or there is none.
        """
        wanted = (self.spec.window, len(self.spec.features))
        if windows.ndim != 3 or windows.shape[1:] != wanted or not len(windows):
            raise ValueError(f"{self.name} takes windows of {wanted}, not an array of {windows.shape}")
        # All threads shall have work before calls get larger.
        piece = max(1, min(self.piece, -(-len(windows) // self.threads)))
        batch = WindowBatch(self._calls, windows, piece)
        batch.start(self._pool)
        return batch.future

    def run(self, windows: Windows) -> ScoredWindows:
        """The same; waits for it."""
        return self.submit(windows).result()

    def warm(self) -> None:
        """Runs the model, on the caller's thread, and finds out how many windows a call are best.

        Raises:
            InferenceFailed: It raised.
        """
        self._cpu_s(1)
        if not self.on_cpu:
            self._cpu_s(self.piece)
            return
        best_s = self._cpu_s(self.piece)
        for size in _CPU_PIECES:
            if size > self.piece and size <= _most(self.spec, size) and best_s * size < _LONG_S:
                each_s = self._cpu_s(size)
                if each_s < _WORTH * best_s:
                    best_s, self.piece = each_s, size

    def _cpu_s(self, size: int) -> float:
        """Seconds of CPU time that a window takes in a call of so many; the least of a few calls."""
        windows = np.empty((size, self.spec.window, len(self.spec.features)), np.float32)
        windows[:] = self.spec.fallback  # of zeros some runtimes make the smallest of numbers, which are slow
        self._calls.run(windows)
        least_s = math.inf
        for _ in range(_TIMED):
            started_s = time.thread_time()
            self._calls.run(windows)
            least_s = min(least_s, (time.thread_time() - started_s) / size)
            if least_s * size > _LONG_S:
                break
        return least_s

    def prove(self) -> None:
        """Lets it look at a window of zeros and one of training means, and one in which all is missing.

        Raises:
            SmokeFailed: It gives no numbers for one of them.
        """
        shape = (self.spec.window, len(self.spec.features))
        smoke = np.zeros((_TRIED, *shape), np.float32)
        smoke[1], smoke[2] = self.spec.fallback, np.nan
        failed = self.run(smoke).failed
        for place, what in enumerate(("zeros", "its training means", "missing values")):
            if place in failed:
                raise SmokeFailed(
                    f"version {self.version} of {self.name} fails on a window of {what}: {failed[place]}",
                    fix="correct its graph: a feature that does not change must not divide by zero",
                )

    def close(self) -> None:
        """Drops what has not started, and frees the model and the threads that are its own. Idempotent."""
        if self._owns_pool:
            self._pool.close()
        self._calls.use.close()


def _most(spec: SeriesSpec, wanted: int) -> int:
    """So many windows a call as are wanted, as far as their bytes allow."""
    return max(1, min(wanted, _CALL_BYTES // (spec.window * len(spec.features) * _FLOAT_BYTES)))


def _try(calls: WindowCalls, model: Model, ref: ModelRef) -> None:
    """Exporters leave shapes open, so the model is run to see what it puts out, for several numbers of windows."""
    spec = calls.task.spec
    for count in (1, _TRIED):
        windows = np.empty((count, spec.window, len(spec.features)), np.float32)
        windows[:] = spec.fallback
        try:
            calls.run(windows)
        except InferenceFailed as error:
            raise ModelUnsupported(
                f"{ref.file.name} does not run as a model for {ref.manifest.task} on {count} windows: {error}",
                fix=f"give it the outputs {', '.join(calls.task.outputs)}, a row a window, for any number of windows",
            ) from error
