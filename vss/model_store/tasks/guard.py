"""A task of somebody else's package, held to what the port promises: whatever it does wrong is told by its name."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from vss.codecs.images import Image
from vss.errors import BadRecord, InferenceFailed, ModelUnsupported
from vss.model_store.tasks.task import Inputs, PictureTask

_ATTRIBUTES: Final = ("labels", "input_wh", "facts", "result_type")
_METHODS: Final = ("decode_wh", "inputs", "result", "classes_in")


class GuardedTask:
    """Passes everything on (see `PictureTask`). An exit or an error in a package's code fails one picture, no worker.

    Args:
        task: The package's.
        shown: How to speak of it.

    Raises:
        ModelUnsupported: It lacks what every task has, or has something else there.
    """

    def __init__(self, task: PictureTask[Any], shown: str) -> None:
        wrong = _wrong(task)
        if wrong:
            raise ModelUnsupported(
                f"{shown} is not whole: {', '.join(wrong)}",
                fix="correct its task: vss.model_store.tasks.task.PictureTask says what one has",
            )
        self.labels = task.labels
        self.input_wh = task.input_wh
        self.facts = task.facts
        self.result_type = task.result_type
        self._task = task
        self._shown = shown

    def decode_wh(self, width: int, height: int) -> tuple[int, int]:
        """See `PictureTask.decode_wh`."""
        with _failing(self._shown):
            return self._task.decode_wh(width, height)

    def inputs(self, slots: int) -> Inputs:
        """See `PictureTask.inputs`."""
        with _failing(self._shown):
            return _GuardedInputs(self._task.inputs(slots), self._shown)

    def result(self, outputs: Sequence[NDArray[Any]], width: int, height: int) -> dict[str, Any]:
        """See `PictureTask.result`.

        Raises:
            InferenceFailed: It raised, or its result is none that an event can hold.
        """
        with _failing(self._shown):
            value: Any = self._task.result(outputs, width, height)
        if not isinstance(value, dict):
            raise InferenceFailed(f"{self._shown} gave a result that is no dict: {type(value).__name__}")
        for name in value:
            if not isinstance(name, str):
                raise InferenceFailed(f"{self._shown} gave a result with a name that is no text: {name!r}")
        return value

    def classes_in(self, result: Any) -> Sequence[str]:
        """See `PictureTask.classes_in`."""
        with _failing(self._shown):
            return self._task.classes_in(result)


class _GuardedInputs:
    def __init__(self, inputs: Inputs, shown: str) -> None:
        self._inputs = inputs
        self._shown = shown

    @property
    def batch(self) -> NDArray[np.float32]:
        with _failing(self._shown):
            return self._inputs.batch

    def write(self, slot: int, image: Image, source_wh: tuple[int, int]) -> None:
        with _failing(self._shown):
            self._inputs.write(slot, image, source_wh)


@contextmanager
def _failing(shown: str) -> Iterator[None]:
    try:
        yield
    except (KeyboardInterrupt, BadRecord, InferenceFailed):
        raise
    except BaseException as error:  # an exit as well: it is not for a package to end the worker
        said = f": {error}" if str(error) else ""
        raise InferenceFailed(f"{shown} raised {type(error).__name__}{said}") from error


def _wrong(task: Any) -> list[str]:
    """What a task lacks, or has of another kind than it must."""
    missing = [name for name in (*_ATTRIBUTES, *_METHODS) if not hasattr(task, name)]
    wrong = [f"it has no {name}" for name in missing]
    wrong += [f"{name} is no method" for name in _METHODS if name not in missing and not callable(getattr(task, name))]
    if "labels" not in missing and not _is_texts(task.labels):
        wrong.append(f"labels are no tuple of names: {task.labels!r:.60}")
    if "input_wh" not in missing and not _is_size(task.input_wh):
        wrong.append(f"input_wh is no width and height: {task.input_wh!r:.60}")
    if "facts" not in missing and not (isinstance(task.facts, Mapping) and _is_texts(tuple(task.facts))):
        wrong.append(f"facts are no dict of texts: {task.facts!r:.60}")
    return wrong


def _is_texts(value: Any) -> bool:
    return isinstance(value, tuple | list) and all(isinstance(one, str) for one in value)


def _is_size(value: Any) -> bool:
    pair = isinstance(value, tuple | list) and len(value) == 2
    return pair and all(isinstance(side, int | np.integer) and side > 0 for side in value)
