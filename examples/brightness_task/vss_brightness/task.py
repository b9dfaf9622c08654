"""What comes before and after the model. The fleet does the rest: decoding, batches, threads, Kafka, versions, swaps.

Nothing is inherited: `Brightness` has the methods of `vss.model_store.tasks.task.PictureTask`, and `load` makes it.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from vss.codecs.images import Image
from vss.config import ModelSettings
from vss.errors import ModelUnsupported
from vss.model_store.backends.model import Model
from vss.model_store.resolve import ModelRef
from vss.model_store.tasks.picture_input import picture_wh

Result = dict[str, Any]


class Brightness:
    """Pictures to inputs, outputs to results. Its methods are called from several threads at once."""

    result_type: Any = Result
    # It tells no classes apart.
    labels: tuple[str, ...] = ()

    def __init__(self, input_wh: tuple[int, int], dark_below: float) -> None:
        self.input_wh = input_wh
        self.facts: Mapping[str, str] = {"dark below": str(dark_below)}
        self._dark_below = dark_below

    def decode_wh(self, width: int, height: int) -> tuple[int, int]:
        """A JPEG may be decoded smaller, which is faster, but not below the model's input."""
        return self.input_wh

    def inputs(self, slots: int) -> Room:
        """Room for a batch; it is used again."""
        return Room(slots, self.input_wh)

    def result(self, outputs: Sequence[NDArray[Any]], width: int, height: int) -> Result:
        """What the event's `result` holds: anything that JSON has."""
        brightness, contrast = outputs[0].tolist()
        return {
            "brightness": round(brightness, 4),
            "contrast": round(contrast, 4),
            "dark": brightness < self._dark_below,
        }

    def classes_in(self, result: Result) -> Sequence[str]:
        """What a manifest's `smoke.expect` may ask for."""
        return ["dark"] if result["dark"] else []


class Room:
    """Inputs of a batch. Slots may be written at once, each by one thread."""

    def __init__(self, slots: int, input_wh: tuple[int, int]) -> None:
        self._input_wh = input_wh
        self.batch: NDArray[np.float32] = np.empty((slots, 3, input_wh[1], input_wh[0]), np.float32)

    def write(self, slot: int, image: Image, source_wh: tuple[int, int]) -> None:
        """Scales a picture, which is blue, green, red, to the input: red, green, blue, 0..1."""
        scaled = cv2.resize(image, self._input_wh, interpolation=cv2.INTER_AREA)
        np.multiply(scaled[:, :, ::-1].transpose(2, 0, 1), np.float32(1 / 255), out=self.batch[slot])


def load(ref: ModelRef, model: Model, settings: ModelSettings) -> Brightness:
    """What the entry point names: makes the task of a model that is loaded, or says why it cannot be served so."""
    input_wh = picture_wh(ref, model, default=64)
    outputs = model.run(np.zeros((model.input_shape[0] or 1, 3, input_wh[1], input_wh[0]), np.float32))
    # With `--features`, the last output is the embedding.
    if outputs[0].shape[1:] != (2,):
        raise ModelUnsupported("the model does not put out brightness and contrast", fix="make it with make_model.py")
    return Brightness(input_wh, float(ref.manifest.options.get("dark_below", 0.2)))
