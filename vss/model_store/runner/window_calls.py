"""Windows under way: in pieces on the runner's threads, one result for all of them."""

from __future__ import annotations

import threading
from collections.abc import Sequence
from concurrent.futures import Future
from time import perf_counter
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from vss.errors import InferenceFailed, InferenceTimedOut
from vss.model_store.backends.model import Interrupt, Model
from vss.model_store.runner.futures import end_cancelled, fail, settle
from vss.model_store.runner.model_use import ModelUse
from vss.model_store.runner.report import RunnerReport
from vss.model_store.runner.threads import Threads
from vss.model_store.tasks.series.imputing import Windows, impute
from vss.model_store.tasks.series.results import ScoredWindows
from vss.model_store.tasks.series.task import SeriesTask

_TOLD: Final = 80


class WindowCalls:
    """What the calls of one series model share.

    Args:
        model: The model.
        use: Of it.
        task: Reads its outputs.
        places: Where in the model's outputs those of the task are, in the task's order.
        name: Of the model.
        version: Of the model.
        report: Counts; None counts nothing.
    """

    def __init__(
        self,
        model: Model,
        use: ModelUse,
        task: SeriesTask,
        places: Sequence[int],
        *,
        name: str,
        version: str,
        report: RunnerReport | None,
    ) -> None:
        self.model = model
        self.use = use
        self.task = task
        self.name = name
        self.version = version
        self.report = report
        self._places = tuple(places)

    def run(self, windows: Windows, interrupt: Interrupt | None = None) -> list[NDArray[np.float32]]:
        """One call of the model: its outputs in the task's order.

        Raises:
            InferenceFailed: It raised, or an output has another shape than it must.
        """
        try:
            with self.use.calling():
                raw = self.model.run(windows, interrupt)
        except Exception as error:  # the runtime's errors share no class but this
            raise InferenceFailed(f"{type(error).__name__}: {error}") from error
        outputs: list[NDArray[np.float32]] = []
        for place, (name, shape) in zip(self._places, self.task.outputs.items(), strict=True):
            output, wanted = raw[place], (len(windows), *shape)
            if output.shape != wanted:
                raise InferenceFailed(f"output {name} of {self.name} has shape {output.shape} instead of {wanted}")
            outputs.append(output.astype(np.float32, copy=False))
        return outputs


class WindowBatch:
    """Windows that were submitted together.

    Each piece is one call of the model on whichever thread is free; the thread that ends the last piece makes the
    result. What goes wrong in a piece is the result of its windows alone.

    Args:
        calls: Of the model.
        windows: Shape (n, readings, features), at least one.
        piece: Windows a call.

    Attributes:
        future: Of all of them.
    """

    def __init__(self, calls: WindowCalls, windows: Windows, piece: int) -> None:
        self.future: Future[ScoredWindows] = Future()
        self._calls = calls
        self._windows = windows
        self._outputs = [np.full((len(windows), *shape), np.nan, np.float32) for shape in calls.task.outputs.values()]
        self._imputed = np.zeros(len(windows), np.int32)
        self._failed: dict[int, Exception] = {}
        self._lock = threading.Lock()
        self._pieces = [_Piece(self, start, start + piece) for start in range(0, len(windows), piece)]
        self._left = len(self._pieces)
        self._begun = False
        self._cancelled = False
        self._started_s = perf_counter()
        self._in_model_s = self._longest_s = 0.0

    def start(self, threads: Threads) -> None:
        """Hands its pieces to the threads."""
        for piece in self._pieces:
            threads.submit(piece)

    # What its pieces do.

    def begin(self) -> bool:
        """A thread comes to a piece; returns whether somebody still waits for the result."""
        with self._lock:
            if not self._begun:
                self._begun = True
                self._cancelled = not self.future.set_running_or_notify_cancel()
            return not self._cancelled

    def call(self, start: int, stop: int, interrupt: Interrupt) -> tuple[list[NDArray[np.float32]], Any, float]:
        """Runs the model for a piece: its outputs, what was filled in, and the seconds in the model."""
        calls, spec = self._calls, self._calls.task.spec
        started_s = perf_counter()
        windows, imputed = impute(self._windows[start:stop], spec.impute, spec.fallback)
        ready_s = perf_counter()
        outputs = calls.run(windows, interrupt)
        call_s = perf_counter() - ready_s
        if calls.report is not None:
            calls.report.prepared(0.0, ready_s - started_s)
            calls.report.ran(stop - start, call_s)
        return outputs, imputed, call_s

    def failed(self, start: int, stop: int, error: Exception) -> None:
        """A piece failed as a whole."""
        calls = self._calls
        if calls.report is not None:
            count = calls.report.timed_out if isinstance(error, InferenceTimedOut) else calls.report.failed
            count(stop - start)
        with self._lock:
            self._failed.update(dict.fromkeys(range(start, stop), error))
        self._ended()

    def done(self, start: int, stop: int, outputs: Sequence[NDArray[np.float32]], imputed: Any, call_s: float) -> None:
        """A piece has its outputs."""
        for all_of_them, output in zip(self._outputs, outputs, strict=True):
            all_of_them[start:stop] = output
        self._imputed[start:stop] = imputed
        with self._lock:
            self._in_model_s += call_s
            self._longest_s = max(self._longest_s, call_s)
        self._ended()

    def skipped(self) -> None:
        """Nobody waits for a piece."""
        self._ended()

    def dropped(self) -> None:
        """No thread will come to a piece."""
        end_cancelled(self.future)
        self._ended()

    @property
    def calls(self) -> WindowCalls:
        """Of the model."""
        return self._calls

    def _ended(self) -> None:
        with self._lock:
            self._left -= 1
            last = not self._left
        if last and not self.future.done():
            try:
                settle(self.future, self._result())
            except Exception as error:  # whatever it is, nobody may wait for ever
                fail(self.future, error)

    def _result(self) -> ScoredWindows:
        calls, count = self._calls, len(self._windows)
        started_s = perf_counter()
        for place in np.flatnonzero(calls.task.wrong(self._outputs)).tolist():
            if place not in self._failed:
                self._failed[place] = self._impossible(place)
        value = calls.task.result(self._outputs)
        now_s = perf_counter()
        if calls.report is not None:
            calls.report.finished(now_s - started_s)
        return ScoredWindows(
            calls.name,
            calls.version,
            value,
            self._failed,
            self._imputed,
            self._in_model_s / count,
            now_s - self._started_s,
            self._longest_s,
        )

    def _impossible(self, place: int) -> InferenceFailed:
        told = ", ".join(
            f"{name} {np.array2string(output[place], threshold=6, separator=', ')}".replace("\n", "")
            for name, output in zip(self._calls.task.outputs, self._outputs, strict=True)
        )
        more = "…" if len(told) > _TOLD else ""
        return InferenceFailed(
            f"{self._calls.name} gave what cannot be: {told[:_TOLD]}{more}",
            fix="its outputs must be finite (scores 0 or more, lower not above upper): correct its graph",
        )


class _Piece:
    """Windows for one call of the model (see `Work`)."""

    __slots__ = ("_batch", "_interrupt", "_lock", "_over", "_start", "_stop")

    def __init__(self, batch: WindowBatch, start: int, stop: int) -> None:
        self._batch = batch
        self._start = start
        self._stop = min(stop, len(batch._windows))
        self._interrupt = Interrupt()
        self._lock = threading.Lock()
        self._over = False

    def run(self) -> None:
        batch = self._batch
        if not batch.begin():
            batch.skipped()
            return
        try:
            outputs, imputed, call_s = batch.call(self._start, self._stop, self._interrupt)
        except Exception as error:
            if self._end():
                batch.failed(self._start, self._stop, error)
            return
        if self._end():
            batch.done(self._start, self._stop, outputs, imputed, call_s)

    def expire(self, limit_s: float) -> None:
        if self._end():
            error = InferenceTimedOut(f"{self._batch.calls.name} did not answer within {limit_s:g} s")
            self._batch.failed(self._start, self._stop, error)
        self._interrupt.fire()

    def drop(self) -> None:
        self._batch.dropped()

    def _end(self) -> bool:
        """Whether the outcome is this caller's to tell: a thread that was given up may come back later."""
        with self._lock:
            first, self._over = not self._over, True
            return first
