"""What the calls of one model share."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Generic, TypeVar

from vss.model_store.backends.model import Model
from vss.model_store.runner.report import RunnerReport
from vss.model_store.tasks.task import Inputs, PictureTask

R = TypeVar("R")


class Pipeline(Generic[R]):
    """What every call needs: the model, what comes before and after it, and room for inputs that is used again.

    Args:
        model: The model; closed with this.
        task: Makes its input and reads its output.
        name: Of the model, for errors.
        batch: Pictures a call has room for.
        features: Whether the model's last output is an embedding, and not for the task.
        report: Counts; None counts nothing.
    """

    def __init__(
        self,
        model: Model,
        task: PictureTask[R],
        *,
        name: str,
        batch: int,
        features: bool,
        report: RunnerReport | None,
    ) -> None:
        self.model = model
        self.task = task
        self.name = name
        self.batch = batch
        self.features = features
        self.report = report
        # A call takes its room when its first picture comes up: at most one a thread and one more are out at once.
        self._free: list[Inputs] = []
        self._lock = threading.Lock()
        self._in_model = 0
        self._closed = False

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
        if not self._closed:
            self._free.append(inputs)

    @contextmanager
    def in_model(self) -> Iterator[None]:
        """While a call is in the model, it is not freed.

        Raises:
            RuntimeError: It has been closed.
        """
        with self._lock:
            if self._closed:
                raise RuntimeError("the model is closed")
            self._in_model += 1
        try:
            yield
        finally:
            with self._lock:
                self._in_model -= 1
                last = self._closed and not self._in_model
            if last:
                self.model.close()

    def close(self) -> None:
        """Frees the room and the model, at once or when the last call comes back that was given up. Idempotent."""
        with self._lock:
            if self._closed:
                return
            self._closed = True
            idle = not self._in_model
        self._free.clear()
        if idle:
            self.model.close()
