"""What a model takes: time to load, time to warm up, and memory. Each is measured in a fresh process of its own.

In one that has loaded a model before, memory that was freed is used again, and what a second model takes does not show.
"""

from __future__ import annotations

import contextlib
import importlib
import statistics
from collections.abc import Callable
from concurrent.futures import ProcessPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from dataclasses import dataclass
from multiprocessing import get_context
from time import perf_counter
from typing import Final, TypeVar

import numpy as np
import psutil

from vss.config import ModelSettings
from vss.errors import ModelTooLarge
from vss.model_store.backends.load import open_model
from vss.model_store.layout import ONNX_SUFFIX
from vss.model_store.resolve import ModelRef
from vss.model_store.runner.runner import Runner
from vss.model_store.tasks.registry import task_kind

T = TypeVar("T")
_LOADS: Final = 3
# Every thread of the runner takes its memory with its first calls.
_CALLS_A_THREAD: Final = 2
_PICTURE_WH: Final = (768, 432)


@dataclass(frozen=True, slots=True)
class LoadTime:
    """What passes before a model may serve; medians of several loads.

    Attributes:
        load_s: From the file to a model that could run.
        warm_s: From there to its first result: the task finds out what it is, and it runs.
    """

    load_s: float
    warm_s: float


def measure_load(ref: ModelRef, settings: ModelSettings) -> LoadTime:
    """How long a worker takes to load and warm a model; importing its runtime is not counted.

    Raises:
        ModelError: It cannot be served.
    """
    return _in_its_own_process(_load_time, ref, settings)


def measure_memory(ref: ModelRef, settings: ModelSettings) -> int:
    """Resident bytes a process has more once it has loaded a model and all its threads have run it.

    The runtime itself is not counted, nor what an accelerator holds.

    Raises:
        ModelError: It cannot be served.
    """
    return _in_its_own_process(_memory_bytes, ref, settings)


def _load_time(ref: ModelRef, settings: ModelSettings) -> LoadTime:
    _import_runtime(ref)
    loads, warms = [], []
    for _ in range(_LOADS):
        started_s = perf_counter()
        model = open_model(ref, settings)
        loaded_s = perf_counter()
        task = task_kind(ref.manifest.task).picture_loader(ref)(ref, model, settings)
        model.run(task.inputs(model.input_shape[0] or 1).batch)
        warm_s = perf_counter()
        model.close()
        loads.append(loaded_s - started_s)
        warms.append(warm_s - loaded_s)
    return LoadTime(statistics.median(loads), statistics.median(warms))


def _memory_bytes(ref: ModelRef, settings: ModelSettings) -> int:
    _import_runtime(ref)
    process = psutil.Process()
    before: int = process.memory_info().rss
    runner = Runner.load(ref, settings)
    try:
        blank = np.zeros((*reversed(_PICTURE_WH), 3), np.uint8)
        for _ in range(_CALLS_A_THREAD):
            runner.run([blank] * (runner.threads * runner.batch))
        after: int = process.memory_info().rss
        return max(0, after - before)
    finally:
        runner.close()


def _import_runtime(ref: ModelRef) -> None:
    """So that its import is not measured; where it is missing, loading the model says so better."""
    with contextlib.suppress(ImportError):
        importlib.import_module("onnxruntime" if ref.file.suffix.lower() == ONNX_SUFFIX else "torch")


def _in_its_own_process(measure: Callable[[ModelRef, ModelSettings], T], ref: ModelRef, settings: ModelSettings) -> T:
    # Spawned: a fork would begin with what this process has loaded, and this process has threads.
    with ProcessPoolExecutor(1, mp_context=get_context("spawn")) as pool:
        try:
            return pool.submit(measure, ref, settings).result()
        except BrokenProcessPool as error:
            raise ModelTooLarge(
                f"the process that loaded {ref.name}@{ref.version} was ended, most likely for its memory",
                fix="free memory, or use a smaller model",
            ) from error
