"""What a task is, and the port of one whose models look at pictures: what comes before and after the model.

A task of your own is a class with these methods and a function that makes it, named by an entry point of the group
`vss.tasks`; `docs/models.md` has an example.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal, Protocol, TypeVar, cast

import numpy as np
from numpy.typing import NDArray

from vss.codecs.images import Image
from vss.config import ModelSettings
from vss.errors import ModelUnsupported
from vss.model_store.backends.model import Model
from vss.model_store.comparison.tasks import RESULTS, Comparing
from vss.model_store.manifest import Manifest
from vss.model_store.resolve import ModelRef
from vss.model_store.tasks.series.task import SeriesTask

R_co = TypeVar("R_co", covariant=True)


class Inputs(Protocol):
    """Room for one batch of inputs, reused. Belongs to one call at a time; slots may be written side by side.

    Attributes:
        batch: Shape (slots, *the model's input), float32.
    """

    @property
    def batch(self) -> NDArray[np.float32]:
        """See `Inputs`."""

    def write(self, slot: int, image: Image, source_wh: tuple[int, int]) -> None:
        """Puts a picture into a slot.

        Args:
            slot: Which.
            image: Shape (height, width, 3), blue, green, red, 0..255; as large as the source or, to save time, smaller.
            source_wh: Width and height of the source, pixels.
        """


class PictureTask(Protocol[R_co]):
    """What comes before and after a model. Its methods are called from several threads at once.

    Attributes:
        labels: Class names by class id; empty where it tells no classes apart.
        input_wh: Width and height of the model's input, pixels.
        facts: What else is worth knowing about the model, for people: `{"head": "yolov8"}`.
        result_type: Of results, for pydantic to write as JSON and to read back.
    """

    labels: tuple[str, ...]
    input_wh: tuple[int, int]
    facts: Mapping[str, str]
    result_type: Any

    def decode_wh(self, width: int, height: int) -> tuple[int, int]:
        """The smallest width and height at which a picture of this size may be decoded."""

    def inputs(self, slots: int) -> Inputs:
        """Room for a batch."""

    def result(self, outputs: Sequence[NDArray[Any]], width: int, height: int) -> R_co:
        """What the model found in one picture.

        Args:
            outputs: Of the model for this picture, without the batch axis.
            width: Of the source, pixels.
            height: Of the source, pixels.
        """

    def classes_in(self, result: Any) -> Sequence[str]:
        """Names of the classes in a result, for a manifest's smoke input."""


TaskLoader = Callable[[ModelRef, Model, ModelSettings], PictureTask[Any]]
"""Makes the task of a loaded model; the model has not run yet. Raises `ModelError` where it cannot be served so."""
SeriesTaskLoader = Callable[[ModelRef, Model, ModelSettings], SeriesTask]
"""The same, of a model that looks at windows of readings."""


Takes = Literal["picture", "series"]
"""What a model looks at: a picture, or a window of a sensor's readings."""


def _nothing(_: Manifest) -> Mapping[str, str]:
    return {}


@dataclass(frozen=True, slots=True)
class TaskKind:
    """A task that manifests may name: all that the rest needs to know of it. A name and a loader suffice.

    Attributes:
        name: As `model.yaml` spells it.
        load: Makes it for a model.
        step: What a worker's step for it is called; `name` by default.
        takes: What its models look at.
        default_side: Of the input of a model that takes any size, pixels.
        comparing: How two versions are held against each other; None where they cannot be.
        finds_objects: Whether results are objects in boxes, which labelled pictures can judge.
        describe: What a manifest says for this task alone, for people.
    """

    name: str
    load: TaskLoader | SeriesTaskLoader
    step: str = ""
    takes: Takes = "picture"
    default_side: int = 640
    comparing: Comparing | None = RESULTS
    finds_objects: bool = False
    describe: Callable[[Manifest], Mapping[str, str]] = _nothing

    @property
    def step_name(self) -> str:
        """What a worker's step for it is called."""
        return self.step or self.name

    def picture_loader(self, ref: ModelRef) -> TaskLoader:
        """`load` of a task whose models look at pictures.

        Raises:
            ModelUnsupported: They look at windows of readings.
        """
        if self.takes != "picture":
            raise ModelUnsupported(
                f"model {ref.name} is for {self.name}: it looks at readings of sensors, not at pictures",
                fix=f"run it with `vss worker {self.step_name}`, or name a model for pictures",
            )
        return cast("TaskLoader", self.load)

    def series_loader(self, ref: ModelRef) -> SeriesTaskLoader:
        """`load` of a task whose models look at windows of readings.

        Raises:
            ModelUnsupported: They look at pictures.
        """
        if self.takes != "series":
            raise ModelUnsupported(
                f"model {ref.name} is for {self.name}: it looks at pictures, not at readings of sensors",
                fix="name a model for anomaly or forecast",
            )
        return cast("SeriesTaskLoader", self.load)
