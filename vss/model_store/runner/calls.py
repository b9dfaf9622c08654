"""Calls of the model under way: pictures prepared side by side, one run for all of a call, answers handed out."""

from __future__ import annotations

import threading
from collections.abc import Sequence
from concurrent.futures import CancelledError, Future
from dataclasses import dataclass
from time import perf_counter
from typing import Any, Generic, TypeVar

import numpy as np
from numpy.typing import NDArray

from vss.errors import InferenceFailed, InferenceTimedOut
from vss.model_store.backends.model import Interrupt
from vss.model_store.runner.answer import Answer
from vss.model_store.runner.futures import end_cancelled, fail, settle
from vss.model_store.runner.picture import Picture
from vss.model_store.runner.pipeline import Pipeline
from vss.model_store.runner.threads import Threads
from vss.model_store.tasks.task import Inputs

R = TypeVar("R")
_FEATURE_MAP = 3


@dataclass(slots=True)
class _Prepared(Generic[R]):
    slot: int
    picture: Picture
    future: Future[Answer[R]]
    started_s: float


class Call(Generic[R]):
    """One call of the model, for at most `Pipeline.batch` pictures.

    Each picture is prepared by whichever thread is free; the one that finishes the last of them runs the model. So
    decoding goes on elsewhere while a call runs, and no thread waits for another. A thread that takes too long is given
    up with what it was at: the picture that it decodes, or the whole call when it runs the model. What it brings later
    is dropped, and the room it may still write to is not used again.
    """

    def __init__(self, pipeline: Pipeline[R], pictures: Sequence[Picture], threads: Threads) -> None:
        self._pipeline = pipeline
        self._pictures = pictures
        self._threads = threads
        self.futures: list[Future[Answer[R]]] = [Future() for _ in pictures]
        self._lock = threading.Lock()
        self._inputs: Inputs | None = None
        self._missing = set(range(len(pictures)))
        self._prepared: list[_Prepared[R]] = []
        # The slot whose thread runs the model.
        self._running: int | None = None
        # A thread was given up that may still write to the input; and: it was the one that runs the model.
        self._tainted = False
        self._abandoned = False
        self._interrupt = Interrupt()

    def start(self) -> None:
        """Hands its pictures to the threads."""
        for slot in range(len(self._pictures)):
            self._threads.submit(_Preparation(self, slot))

    # What the threads do (see `Work`).

    def prepare(self, slot: int) -> None:
        """Decodes a picture into the call's input; what goes wrong is the result of this picture alone."""
        future = self.futures[slot]
        prepared = None
        # A cancelled picture is left out.
        if future.set_running_or_notify_cancel():
            try:
                prepared = self._write(slot)
            except BaseException as error:
                fail(future, error)
        with self._lock:
            if slot not in self._missing:  # given up
                return
            if prepared is not None:
                self._prepared.append(prepared)
            self._missing.remove(slot)
            if self._missing:
                return
            self._running = slot
        self._finish()

    def expire(self, slot: int, limit_s: float) -> None:
        """The thread that is at this slot takes too long."""
        error = InferenceTimedOut(f"{self._pipeline.name} did not answer within {limit_s:g} s")
        with self._lock:
            runs_model = self._running == slot
            if not runs_model and slot not in self._missing:  # it has just come back
                return
            self._tainted = True
            self._abandoned = runs_model
            self._missing.discard(slot)
            last = not runs_model and not self._missing
            if last:
                self._running = len(self._pictures)
            late = [prepared.future for prepared in self._prepared] if runs_model else [self.futures[slot]]
        if self._pipeline.report is not None:
            self._pipeline.report.timed_out(len(late))
        for future in late:
            fail(future, error)
        if runs_model:
            self._interrupt.fire()
        elif last:
            # The others were waiting for this one only.
            self._threads.submit(_Rest(self, len(self._pictures)))

    def drop(self, slot: int) -> None:
        """No thread will come to this slot."""
        end_cancelled(self.futures[slot])
        with self._lock:
            self._missing.discard(slot)
            waiting = [prepared.future for prepared in self._prepared] if not self._missing else []
        for other in waiting:
            fail(other, CancelledError())

    def drop_rest(self) -> None:
        """No thread will run the model."""
        for prepared in self._prepared:
            fail(prepared.future, CancelledError())

    def run_rest(self) -> None:
        """Runs the model for what is prepared."""
        self._finish()

    def _write(self, slot: int) -> _Prepared[R]:
        pipeline, picture = self._pipeline, self._pictures[slot]
        started_s = perf_counter()
        image = picture.load(pipeline.task.decode_wh(picture.width, picture.height))
        decoded_s = perf_counter()
        with self._lock:
            if slot not in self._missing:
                raise InferenceTimedOut("too late")  # its future has said so long ago
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
                fail(prepared.future, error)
        finally:
            with self._lock:
                self._running = None
                reusable = not self._tainted
            if inputs is not None and reusable:
                self._pipeline.give_back(inputs)

    def _run(self, inputs: Inputs) -> None:
        pipeline, count = self._pipeline, len(self._prepared)
        started_s = perf_counter()
        try:
            with pipeline.in_model():
                raw = pipeline.model.run(self._input(inputs), self._interrupt)
            outputs = [out.astype(np.float32, copy=False) for out in raw]
        except Exception as error:
            if pipeline.report is not None and not self._abandoned:
                pipeline.report.failed(count)
            raise InferenceFailed(f"{type(error).__name__}: {error}") from error
        if self._abandoned:
            return
        ran_s = perf_counter()
        if pipeline.report is not None:
            pipeline.report.ran(count, ran_s - started_s)
        for i, prepared in enumerate(self._prepared):
            try:
                self._hand_out(prepared, [out[i] for out in outputs], ran_s - started_s)
            except Exception as error:  # of this picture's output alone
                fail(prepared.future, error)

    def _input(self, inputs: Inputs) -> NDArray[np.float32]:
        slots = [prepared.slot for prepared in self._prepared]
        batch = inputs.batch
        if (fixed := self._pipeline.fixed_batch) is not None and fixed > 1:
            # The model takes no fewer: what is left over repeats a picture, and its output is not looked at.
            slots += slots[:1] * (fixed - len(slots))
        if slots == list(range(len(slots))):
            return batch[: len(slots)]
        return batch[slots]

    def _hand_out(self, prepared: _Prepared[R], outputs: list[NDArray[Any]], call_s: float) -> None:
        pipeline, picture = self._pipeline, prepared.picture
        started_s = perf_counter()
        embedding = _embedding(outputs.pop()) if pipeline.features else None
        value = pipeline.task.result(outputs, picture.width, picture.height)
        now_s = perf_counter()
        if pipeline.report is not None:
            pipeline.report.finished(now_s - started_s)
        answer = Answer(
            value,
            call_s / len(self._prepared),
            now_s - prepared.started_s,
            picture.width,
            picture.height,
            embedding,
            call_s,
        )
        settle(prepared.future, answer)


class _Preparation:
    """One picture of a call, for a thread (see `Work`)."""

    __slots__ = ("_call", "_slot")

    def __init__(self, call: Call[Any], slot: int) -> None:
        self._call = call
        self._slot = slot

    def run(self) -> None:
        self._call.prepare(self._slot)

    def expire(self, limit_s: float) -> None:
        self._call.expire(self._slot, limit_s)

    def drop(self) -> None:
        self._call.drop(self._slot)


class _Rest:
    """What is left of a call whose last picture was given up, for a thread (see `Work`)."""

    def __init__(self, call: Call[Any], slot: int) -> None:
        self._call = call
        self._slot = slot

    def run(self) -> None:
        self._call.run_rest()

    def expire(self, limit_s: float) -> None:
        self._call.expire(self._slot, limit_s)

    def drop(self) -> None:
        self._call.drop_rest()


def _embedding(features: NDArray[np.float32]) -> NDArray[np.float32]:
    """One number a channel: a feature map (channels, height, width) is averaged over its pixels."""
    pooled: NDArray[np.float32] = features.mean(axis=(1, 2)) if features.ndim == _FEATURE_MAP else features.ravel()
    return pooled
