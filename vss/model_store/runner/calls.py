"""Calls of the model under way: pictures prepared side by side, one run for all of a call, answers handed out."""

from __future__ import annotations

import threading
from collections.abc import Sequence
from concurrent.futures import Future
from dataclasses import dataclass
from time import perf_counter
from typing import Any, Generic, TypeVar

import numpy as np
from numpy.typing import NDArray

from vss.errors import InferenceFailed
from vss.model_store.backends.model import Model
from vss.model_store.runner.answer import Answer
from vss.model_store.runner.picture import Picture
from vss.model_store.runner.report import RunnerReport
from vss.model_store.tasks.task import Inputs, PictureTask

R = TypeVar("R")
_FEATURE_MAP = 3


class Pipeline(Generic[R]):
    """What every call needs: the model, what comes before and after it, and room for inputs that is used again.

    Args:
        model: The model.
        task: Makes its input and reads its output.
        batch: Pictures a call has room for.
        features: Whether the model's last output is an embedding, and not for the task.
        report: Counts; None counts nothing.
    """

    def __init__(
        self, model: Model, task: PictureTask[R], *, batch: int, features: bool, report: RunnerReport | None
    ) -> None:
        self.model = model
        self.task = task
        self.batch = batch
        self.features = features
        self.report = report
        # A call takes its room when its first picture comes up: at most one a thread and one more are out at once.
        self._free: list[Inputs] = []

    @property
    def fixed_batch(self) -> int | None:
        """Pictures a call must have; None takes any number."""
        return self.model.input_shape[0]

    def borrow(self) -> Inputs:
        """Room for a call, last used first."""
        try:
            return self._free.pop()
        except IndexError:
            return self.task.inputs(self.batch)

    def give_back(self, inputs: Inputs) -> None:
        """The room is free."""
        self._free.append(inputs)

    def forget_inputs(self) -> None:
        """Frees it."""
        self._free.clear()


@dataclass(slots=True)
class _Prepared(Generic[R]):
    slot: int
    picture: Picture
    future: Future[Answer[R]]
    started_s: float


class Call(Generic[R]):
    """One call of the model, for at most `Pipeline.batch` pictures.

    `prepare` is called once for each picture, by whichever thread is free; the one that finishes the last of them runs
    the model. So decoding goes on elsewhere while a call runs, and no thread waits for another.
    """

    def __init__(self, pipeline: Pipeline[R], pictures: Sequence[Picture]) -> None:
        self._pipeline = pipeline
        self._pictures = pictures
        self.futures: list[Future[Answer[R]]] = [Future() for _ in pictures]
        self._lock = threading.Lock()
        self._inputs: Inputs | None = None
        self._missing = len(pictures)
        self._prepared: list[_Prepared[R]] = []

    def prepare(self, slot: int) -> None:
        """Decodes a picture into the call's input; what goes wrong is the result of this picture alone."""
        future = self.futures[slot]
        prepared = None
        # A cancelled picture is left out.
        if future.set_running_or_notify_cancel():
            try:
                prepared = self._write(slot)
            except BaseException as error:
                future.set_exception(error)
        with self._lock:
            if prepared is not None:
                self._prepared.append(prepared)
            self._missing -= 1
            last = self._missing == 0
        if last:
            self._finish()

    def _write(self, slot: int) -> _Prepared[R]:
        pipeline, picture = self._pipeline, self._pictures[slot]
        started_s = perf_counter()
        image = picture.load(pipeline.task.decode_wh(picture.width, picture.height))
        decoded_s = perf_counter()
        with self._lock:
            if self._inputs is None:
                self._inputs = pipeline.borrow()
            inputs = self._inputs
        inputs.write(slot, image, (picture.width, picture.height))
        if pipeline.report is not None:
            pipeline.report.prepared(decoded_s - started_s, perf_counter() - decoded_s)
        return _Prepared(slot, picture, self.futures[slot], started_s)

    def _finish(self) -> None:
        inputs, self._inputs = self._inputs, None
        try:
            if self._prepared and inputs is not None:
                self._run(inputs)
        except BaseException as error:
            for prepared in self._prepared:
                if not prepared.future.done():
                    prepared.future.set_exception(error)
        finally:
            if inputs is not None:
                self._pipeline.give_back(inputs)

    def _run(self, inputs: Inputs) -> None:
        pipeline, count = self._pipeline, len(self._prepared)
        started_s = perf_counter()
        try:
            outputs = [out.astype(np.float32, copy=False) for out in pipeline.model.run(self._input(inputs))]
        except Exception as error:
            if pipeline.report is not None:
                pipeline.report.failed(count)
            raise InferenceFailed(f"{type(error).__name__}: {error}") from error
        ran_s = perf_counter()
        if pipeline.report is not None:
            pipeline.report.ran(count, ran_s - started_s)
        for i, prepared in enumerate(self._prepared):
            self._hand_out(prepared, [out[i] for out in outputs], (ran_s - started_s) / count)

    def _input(self, inputs: Inputs) -> NDArray[np.float32]:
        slots = [prepared.slot for prepared in self._prepared]
        batch = inputs.batch
        if (fixed := self._pipeline.fixed_batch) is not None and fixed > 1:
            # The model takes no fewer: what is left over repeats a picture, and its output is not looked at.
            slots += slots[:1] * (fixed - len(slots))
        if slots == list(range(len(slots))):
            return batch[: len(slots)]
        return batch[slots]

    def _hand_out(self, prepared: _Prepared[R], outputs: list[NDArray[Any]], inference_s: float) -> None:
        pipeline, picture = self._pipeline, prepared.picture
        started_s = perf_counter()
        embedding = _embedding(outputs.pop()) if pipeline.features else None
        value = pipeline.task.result(outputs, picture.width, picture.height)
        now_s = perf_counter()
        if pipeline.report is not None:
            pipeline.report.finished(now_s - started_s)
        prepared.future.set_result(
            Answer(value, inference_s, now_s - prepared.started_s, picture.width, picture.height, embedding)
        )


def _embedding(features: NDArray[np.float32]) -> NDArray[np.float32]:
    """One number a channel: a feature map (channels, height, width) is averaged over its pixels."""
    pooled: NDArray[np.float32] = features.mean(axis=(1, 2)) if features.ndim == _FEATURE_MAP else features.ravel()
    return pooled
