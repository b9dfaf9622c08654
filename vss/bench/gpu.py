"""What models and workers do on a GPU: latency and rate of the model alone by batch, and of a whole worker."""

from __future__ import annotations

import statistics
import threading
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from vss.bench.device import DeviceFacts, device_facts
from vss.bench.paced import Ages, measure_ages
from vss.bench.raw import ready_input
from vss.bench.served import require_task
from vss.bench.worker import WorkerBench
from vss.config import Settings
from vss.metrics import Metrics
from vss.model_store.resolve import ModelRef
from vss.model_store.runner.runner import Runner
from vss.model_store.serving.single import SingleModel
from vss.workers.pictures.kinds import PictureWorker

BATCHES: Final = (1, 4, 8, 16, 32)
_CALLERS: Final = 4
"""Enough that the device always has a batch waiting."""


@dataclass(frozen=True, slots=True)
class BatchSpeed:
    """Calls of the model alone, on inputs that are ready.

    Attributes:
        batch: Pictures a call.
        p50_ms: Of a call by one caller.
        p95_ms: Of a call by one caller.
        pictures_a_second: With several callers.
    """

    batch: int
    p50_ms: float
    p95_ms: float
    pictures_a_second: float


@dataclass(frozen=True, slots=True)
class ModelSpeed:
    """A model and a worker that serves it.

    Attributes:
        model: Its name.
        version: Its version.
        task: What it does.
        providers: What runs it, first choice first.
        takes_pixels: Whether it scales pictures on the device.
        cuda_graphs: Whether its calls are replayed as CUDA graphs.
        load_s: Loading it and warming it up.
        resident_bytes: What it holds on its device.
        alone: By batch.
        backlog_a_second: Frames a second of a whole worker that always finds frames waiting.
        ages: Of frames that come at a steady rate.
        events: Committed, as a reader found them.
    """

    model: str
    version: str
    task: str
    providers: tuple[str, ...]
    takes_pixels: bool
    cuda_graphs: bool
    load_s: float
    resident_bytes: int
    alone: tuple[BatchSpeed, ...]
    backlog_a_second: float
    ages: Ages
    events: int


@dataclass(frozen=True, slots=True)
class Load:
    """How much is measured.

    Attributes:
        calls: Of the model alone, for each batch size.
        frames: In the backlog of a worker.
        frames_a_second: That come at a steady rate.
        seconds: For how long.
    """

    calls: int = 200
    frames: int = 2000
    frames_a_second: float = 100.0
    seconds: float = 20.0


def bench_model(
    settings: Settings,
    kind: PictureWorker,
    ref: ModelRef,
    jpegs: Sequence[bytes],
    load: Load,
    *,
    on_step: Callable[[str], None] = lambda _: None,
) -> ModelSpeed:
    """Measures a model alone, then in a worker.

    Args:
        settings: The cluster, with a prefix of the bench's own, and the model's settings.
        kind: The worker.
        ref: The model.
        jpegs: Different frames.
        load: How much.
        on_step: Told what comes next.

    Raises:
        ModelError: The model cannot be served.
        StreamError: The cluster fails, or the worker does not keep up.
    """
    require_task(ref, kind.task)
    on_step(f"load {ref.name}")
    metrics, started_s = Metrics(), time.perf_counter()
    runner = Runner.load(ref, settings.model, metrics=metrics)
    load_s = time.perf_counter() - started_s
    try:
        fixed = runner.model.input_shape[0]
        alone = []
        for batch in (fixed,) if fixed is not None else BATCHES:
            on_step(f"{ref.name} alone, {batch} a call")
            alone.append(_alone(runner, jpegs, batch, load.calls))
        on_step(f"worker {kind.name}, backlog")
        bench = WorkerBench(_prefixed(settings, f"{kind.name}."), kind, SingleModel(runner), metrics)
        bench.fill(jpegs, load.frames)
        bench.work(load.frames)
        work = bench.work(load.frames)
        on_step(f"worker {kind.name}, {load.frames_a_second:.0f} frames/s")
        paced = _prefixed(settings, f"{kind.name}-paced.")
        ages = measure_ages(paced, kind, runner, jpegs, frames_a_second=load.frames_a_second, seconds=load.seconds)
        return ModelSpeed(
            model=runner.name,
            version=runner.version,
            task=kind.task,
            providers=runner.providers,
            takes_pixels=runner.task.inputs(1).batch.dtype == np.uint8,
            cuda_graphs=bool(getattr(runner.model, "uses_graphs", False)),
            load_s=load_s,
            resident_bytes=runner.model.resident_bytes,
            alone=tuple(alone),
            backlog_a_second=1 / work.usage.wall_s,
            ages=ages,
            events=bench.committed_events(),
        )
    finally:
        runner.close()


@dataclass(frozen=True, slots=True)
class GpuBench:
    """What was measured, and on what."""

    device: DeviceFacts
    models: tuple[ModelSpeed, ...]


def bench_gpu(
    settings: Settings,
    models: Sequence[tuple[PictureWorker, ModelRef, Load]],
    jpegs: Sequence[bytes],
    *,
    on_step: Callable[[str], None] = lambda _: None,
) -> GpuBench:
    """Measures models one after the other; see `bench_model`."""
    return GpuBench(
        device_facts(),
        tuple(bench_model(settings, kind, ref, jpegs, load, on_step=on_step) for kind, ref, load in models),
    )


def _prefixed(settings: Settings, behind: str) -> Settings:
    kafka = settings.kafka.model_copy(update={"topic_prefix": settings.kafka.topic_prefix + behind})
    return settings.model_copy(update={"kafka": kafka})


def _alone(runner: Runner[Any], jpegs: Sequence[bytes], batch: int, calls: int) -> BatchSpeed:
    inputs = [ready_input(runner, jpegs, batch) for _ in range(_CALLERS)]
    # A view, as calls of a runner are: what it is of gets page-locked.
    rooms = [one[:batch] for one in inputs]
    _timed(runner, rooms[0], max(2, calls // 20))
    single = _timed(runner, rooms[0], calls)
    threads = [threading.Thread(target=_timed, args=(runner, room, max(1, calls // _CALLERS))) for room in rooms]
    started_s = time.perf_counter()
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    elapsed_s = time.perf_counter() - started_s
    hundredths = statistics.quantiles(single, n=100)
    return BatchSpeed(
        batch=batch,
        p50_ms=hundredths[49] * 1000,
        p95_ms=hundredths[94] * 1000,
        pictures_a_second=max(1, calls // _CALLERS) * _CALLERS * batch / elapsed_s,
    )


def _timed(runner: Runner[Any], batch: NDArray[Any], calls: int) -> list[float]:
    seconds = []
    for _ in range(calls):
        started_s = time.perf_counter()
        runner.model.run(batch)
        seconds.append(time.perf_counter() - started_s)
    return seconds
