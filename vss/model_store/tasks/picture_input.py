"""Models whose input is a batch of pictures: what size they take, and that they run on it."""

from __future__ import annotations

from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from vss.errors import ModelUnsupported
from vss.model_store.backends.model import Model
from vss.model_store.resolve import ModelRef

_RANK: Final = 4
_CHANNELS: Final = 3


def picture_wh(ref: ModelRef, model: Model, *, default: int) -> tuple[int, int]:
    """Width and height of a model's input, pixels: its own, else its manifest's, else the default.

    Args:
        ref: Which model.
        model: It, loaded.
        default: Side of a model that takes any size, pixels.

    Raises:
        ModelUnsupported: Its input is no batch of pictures with three channels, or the manifest says another size than
            it takes.
    """
    shape = model.input_shape
    shown = ", ".join("?" if n is None else str(n) for n in shape)
    if len(shape) != _RANK:
        raise _unsupported(f"the input of {ref.file.name} has rank {len(shape)} ({shown})")
    _, channels, height, width = shape
    if channels not in (_CHANNELS, None):
        raise _unsupported(f"the input of {ref.file.name} has {channels} channels ({shown})")
    spec = ref.manifest.input
    return _side(width, spec.width, "width") or default, _side(height, spec.height, "height") or default


def outputs_for(model: Model, images: NDArray[np.float32], *, features: bool) -> list[NDArray[Any]]:
    """What a model puts out: exporters leave shapes open, so it is run to see, which warms it up.

    Args:
        model: It, loaded.
        images: Shape (batch, 3, height, width).
        features: Whether an embedding comes last, which is left out.

    Raises:
        ModelUnsupported: It does not run.
    """
    try:
        outputs = model.run(images)
    except Exception as error:  # the runtime's errors share no class but this
        raise ModelUnsupported(
            f"the model does not run on an image of {images.shape[3]}x{images.shape[2]}: {error}",
            fix="give the size it takes as input.width and input.height in model.yaml",
        ) from error
    return outputs[:-1] if features else outputs


def _side(own: int | None, wanted: int | None, name: str) -> int | None:
    if own is not None and wanted is not None and own != wanted:
        raise ModelUnsupported(
            f"model.yaml says input.{name} is {wanted}, the model takes {own} alone", fix=f"remove input.{name}"
        )
    return own or wanted


def _unsupported(message: str) -> ModelUnsupported:
    return ModelUnsupported(message, fix="export the model with one float input of shape (batch, 3, height, width)")
