"""What the calls of one model that looks at pictures share."""

from __future__ import annotations

from contextlib import AbstractContextManager
from typing import Generic, TypeVar

from vss.model_store.backends.model import Model
from vss.model_store.runner.model_use import ModelUse
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
        self._use = ModelUse(model)

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
        if not self._use.closed:
            self._free.append(inputs)

    def in_model(self) -> AbstractContextManager[None]:
        """See `ModelUse.calling`."""
        return self._use.calling()

    def close(self) -> None:
        """Frees the room, and the model (see `ModelUse.close`). Idempotent."""
        self._use.close()
        self._free.clear()
