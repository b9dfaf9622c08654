"""Classification: what comes before and after a model that says what a picture shows."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Annotated, Any, Final

import numpy as np
from numpy.typing import NDArray
from pydantic import Field

from vss.config import ModelSettings
from vss.errors import ModelUnsupported
from vss.model_store.backends.model import Model
from vss.model_store.backends.pixels import PixelScaling, fuse_pixels
from vss.model_store.comparison.tasks import PREDICTIONS
from vss.model_store.resolve import ModelRef
from vss.model_store.tasks.classification.crop import centre_crop
from vss.model_store.tasks.classification.cutter import Preparation
from vss.model_store.tasks.classification.inputs import ClassificationInputs
from vss.model_store.tasks.classification.pixels import ClassificationPixels
from vss.model_store.tasks.classification.predictions import PredictionMaker, are_probabilities
from vss.model_store.tasks.metadata import labels_of
from vss.model_store.tasks.picture_input import outputs_for, picture_wh
from vss.model_store.tasks.task import Inputs, TaskKind
from vss.schemas.events import ClassPrediction

Predictions = tuple[ClassPrediction, ...]
_DEFAULT_SIDE: Final = 224
_FEWEST_CLASSES: Final = 2
_SEED: Final = 7


class ClassificationTask:
    """Pictures to inputs, outputs to classes (see `PictureTask`).

    Attributes:
        labels: Class names by class id.
        input_wh: Width and height of the model's input, pixels.
        facts: What its output is, and how pictures are scaled.
        preparation: How pictures become its input.
    """

    # At least one: what the result cache gives back is held against it.
    result_type: Any = Annotated[Predictions, Field(min_length=1)]

    def __init__(
        self,
        preparation: Preparation,
        maker: PredictionMaker,
        labels: tuple[str, ...],
        output: str,
        *,
        takes_pixels: bool = False,
    ) -> None:
        self.preparation = preparation
        crop = preparation.crop
        self.labels = labels
        self.input_wh = (crop.width, crop.height)
        self.facts: Mapping[str, str] = {"output": output, "resize": str(crop.resize)}
        self._maker = maker
        self._inputs = ClassificationPixels if takes_pixels else ClassificationInputs

    def decode_wh(self, width: int, height: int) -> tuple[int, int]:
        """See `PictureTask.decode_wh`."""
        place = self.preparation.crop.place(width, height)
        return place.width, place.height

    def inputs(self, slots: int) -> Inputs:
        """See `PictureTask.inputs`."""
        return self._inputs(self.preparation, slots)

    def result(self, outputs: Sequence[NDArray[Any]], width: int, height: int) -> Predictions:
        """The most confident classes of a picture, the first first."""
        return self._maker.predictions(outputs[0])

    def classes_in(self, result: Any) -> Sequence[str]:
        """The class it is most sure of: a smoke input must show what it is, not what it might be."""
        return [one.class_ for one in result[:1]]


def load_classification(ref: ModelRef, model: Model, settings: ModelSettings) -> ClassificationTask:
    """Finds out what a classifier puts out, by running it once, and what it takes, by its manifest.

    Raises:
        ModelUnsupported: Its input is no picture, or its output not one number a class.
        ConfigError: The manifest does not fit the model.
    """
    width, height = picture_wh(ref, model, default=_DEFAULT_SIDE)
    probe = _probe(model, width, height, features=settings.features is not None)
    classes = probe.shape[1]
    labels = labels_of(ref, model, classes) or tuple(f"class_{i}" for i in range(classes))
    output = ref.manifest.output
    if output == "auto":
        output = "probabilities" if are_probabilities(probe) else "logits"
    maker = PredictionMaker(labels, logits=output == "logits", top_k=settings.top_k)
    preparation = _preparation(ref, model, width, height)
    scaling = PixelScaling(preparation.rgb, preparation.factors, preparation.offsets)
    return ClassificationTask(preparation, maker, labels, output, takes_pixels=fuse_pixels(model, scaling))


CLASSIFICATION: Final = TaskKind(
    "classification", load_classification, step="classify", default_side=_DEFAULT_SIDE, comparing=PREDICTIONS
)


def _probe(model: Model, width: int, height: int, *, features: bool) -> NDArray[np.float32]:
    """Its output for noise, shape (batch, classes). Noise: what a logit is for black may well be 0 to 1."""
    noise = np.random.default_rng(_SEED).standard_normal((model.input_shape[0] or 1, 3, height, width))
    outputs = outputs_for(model, noise.astype(np.float32), features=features)
    shapes = [output.shape for output in outputs]
    classes = math.prod(shapes[0][1:]) if shapes else 0
    # (batch, classes), or (batch, classes, 1, 1) of a model that ends with a convolution.
    if len(shapes) != 1 or len(shapes[0]) < _FEWEST_CLASSES or shapes[0][1] != classes or classes < _FEWEST_CLASSES:
        listed = "; ".join(" × ".join(map(str, shape)) for shape in shapes)
        raise ModelUnsupported(
            f"the model's outputs ({listed}) are none of a classifier, which has one number a class",
            fix="give a model with one output of shape (batch, classes), or name its task in model.yaml",
        )
    rows: NDArray[np.float32] = outputs[0].reshape(len(outputs[0]), classes).astype(np.float32, copy=False)
    return rows


def _preparation(ref: ModelRef, model: Model, width: int, height: int) -> Preparation:
    spec = ref.manifest.input
    # Ultralytics trains its classifiers on 0..1 without ImageNet's mean, on the whole of the shorter side.
    ultralytics = model.metadata.get("author", "").lower() == "ultralytics"
    plain = ultralytics and not {"mean", "std"} & spec.model_fields_set
    return Preparation(
        crop=centre_crop(spec, width, height, whole=ultralytics),
        rgb=spec.color != "bgr",
        scale=spec.scale if spec.scale is not None else 1 / 255,
        mean=(0.0, 0.0, 0.0) if plain else spec.mean,
        std=(1.0, 1.0, 1.0) if plain else spec.std,
        bicubic=spec.interpolation == "bicubic",
    )
