"""A runner: a model, its task, and the threads it runs on."""

from __future__ import annotations

from collections.abc import Sequence
from concurrent.futures import Future
from typing import Any, Final, Generic, TypeVar

import cv2
import numpy as np

from vss.codecs.images import Image
from vss.config import ModelSettings
from vss.metrics import Metrics
from vss.model_store.backends.load import open_model
from vss.model_store.backends.onnx import usable_cores
from vss.model_store.resolve import ModelRef
from vss.model_store.runner.answer import Answer
from vss.model_store.runner.calls import Call
from vss.model_store.runner.picture import Picture
from vss.model_store.runner.pipeline import Pipeline
from vss.model_store.runner.report import RunnerReport
from vss.model_store.runner.threads import Threads, WorkThreads
from vss.model_store.tasks.registry import task_kind

R = TypeVar("R")
# Where the model takes any number. Beyond 4 images YOLOX-nano took longer for each on the CPU (16 ms with 1, 2 or 4
# images a call, 17 with 8, 20 with 16: they no longer fit the cache); an accelerator wants more. Models of thumbnails
# want more as well: with 16 a call, a picture of CIFAR's 32×32 took 1.01 CPU-ms from its record to its event, with 4
# 1.14, of which the model is 0.91.
CPU_BATCH: Final = 4
_CPU_BATCH_PIXELS: Final = 4 * 64 * 64
_CPU_MOST: Final = 16
ACCELERATOR_BATCH: Final = 32
# Enough to decode for an accelerator.
_ACCELERATOR_THREADS: Final = 8
# One works while the other one's copies pass (see `DeviceCalls`); its threads are for decoding.
_ACCELERATOR_CALLS: Final = 2


class Runner(Generic[R]):
    """Answers pictures with one version of one model. Thread-safe; make it with `load`.

    Attributes:
        ref: Which version of which model.
        name: Of the model.
        version: Of the model.
        model: What runs.
        task: What comes before and after it.
        labels: Class names by class id.
        input_wh: Width and height of the model's input, pixels.
        providers: What runs it, first choice first.
        threads: Calls under way at once.
        batch: Pictures a call may have.
    """

    def __init__(self, ref: ModelRef, pipeline: Pipeline[R], *, threads: int, pool: Threads, owns_pool: bool) -> None:
        self.ref = ref
        self.name = ref.name
        self.version = ref.version
        self.model = pipeline.model
        self.task = pipeline.task
        self.labels = self.task.labels
        self.input_wh = self.task.input_wh
        self.providers = self.model.providers
        self.threads = threads
        self.batch = pipeline.batch
        self._pipeline = pipeline
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
    ) -> Runner[Any]:
        """Loads a model, runs it once, and finds out what it is.

        Args:
            ref: Which, and its manifest.
            settings: Where it runs and what it reports.
            metrics: Where it is counted.
            threads: Shared with other runners, so that ten models do not make ten times as many threads as cores; by
                default it has its own.

        Raises:
            ModelNotFound: There is no such file.
            ModelCorrupt: It is no model.
            ModelUnsupported: Its inputs or outputs are none we know, or not those its manifest says.
            ConfigError: A runtime or the device is missing, or a setting does not fit the model.
        """
        kind = task_kind(ref.manifest.task)
        load = kind.picture_loader(ref)
        model = open_model(ref, settings)
        try:
            task = load(ref, model, settings)
        except BaseException:
            model.close()  # one that records ask for in vain would hold its memory, and on a GPU a thread, for ever
            raise
        pipeline = Pipeline(
            model,
            task,
            name=ref.name,
            batch=model.input_shape[0] or (_cpu_batch(task.input_wh) if model.on_cpu else ACCELERATOR_BATCH),
            features=settings.features is not None,
            report=RunnerReport(metrics, ref.name, kind.step_name) if metrics is not None else None,
        )
        side_by_side = settings.threads or _threads(model.on_cpu)
        pool = threads if threads is not None else model_threads(settings)
        pool.at_least(side_by_side)
        return Runner(ref, pipeline, threads=side_by_side, pool=pool, owns_pool=threads is None)

    def submit(self, pictures: Sequence[Picture]) -> list[Future[Answer[R]]]:
        """Starts decoding, inference and what follows on the runner's threads.

        Pictures share calls of the model where it takes more than one at a time. A picture that cannot be decoded fails
        alone.

        Returns:
            One future a picture. It raises what `Picture.load` raised, `InferenceFailed` or `InferenceTimedOut`.
        """
        size = self._call_size(len(pictures))
        futures: list[Future[Answer[R]]] = []
        for start in range(0, len(pictures), size):
            call = Call(self._pipeline, pictures[start : start + size], self._pool)
            futures += call.futures
            call.start()
        return futures

    def run(self, images: Sequence[Image]) -> list[Answer[R]]:
        """What is in decoded images; waits for it.

        Raises:
            InferenceFailed: The model raised.
        """
        return [future.result() for future in self.submit([Picture.decoded(image) for image in images])]

    def warm(self) -> None:
        """Runs the model, on the caller's thread, with every size of call up to `batch` that is a power of two.

        Runtimes choose kernels and lay out memory at the first call of a size.

        Raises:
            Exception: What the runtime raises.
        """
        inputs = self._pipeline.borrow()
        # Zeros of its own: fresh room holds whatever was in that memory, numbers among it that cost or break a model.
        blank = np.zeros_like(inputs.batch)
        self._pipeline.give_back(inputs)
        for size in _warm_sizes(self.batch, self._pipeline.fixed_batch):
            with self._pipeline.in_model():
                self.model.run(blank[:size])

    def close(self) -> None:
        """Drops what has not started, and frees the model and the threads that are its own. Idempotent."""
        if self._owns_pool:
            self._pool.close()
        self._pipeline.close()

    def _call_size(self, pictures: int) -> int:
        """Pictures a call: all threads, or both of an accelerator's lanes, shall have work before calls get larger."""
        if self._pipeline.fixed_batch is not None:
            return self.batch
        calls = self.threads if self.model.on_cpu else _ACCELERATOR_CALLS
        return max(1, min(self.batch, -(-pictures // calls)))


def model_threads(settings: ModelSettings) -> WorkThreads:
    """Threads for any number of runners; the first of them says how many it needs."""
    return WorkThreads(name="model", limit_s=settings.call_timeout_s, prepare=_single_threaded_opencv)


def _warm_sizes(batch: int, fixed: int | None) -> list[int]:
    if fixed is not None:
        return [fixed]
    return [size for size in (1 << n for n in range(batch.bit_length())) if size <= batch]


def _cpu_batch(input_wh: tuple[int, int]) -> int:
    return max(CPU_BATCH, min(_CPU_MOST, _CPU_BATCH_PIXELS // (input_wh[0] * input_wh[1])))


def _threads(on_cpu: bool) -> int:
    return usable_cores() if on_cpu else _ACCELERATOR_THREADS


def _single_threaded_opencv() -> None:
    # The pool's threads are the parallelism; OpenCV's own would only take turns with them. A setting of the process.
    cv2.setNumThreads(1)
