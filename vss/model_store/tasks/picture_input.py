"""Models whose input is a batch of pictures: what size they take."""

from __future__ import annotations

from typing import Final

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


def _side(own: int | None, wanted: int | None, name: str) -> int | None:
    if own is not None and wanted is not None and own != wanted:
        raise ModelUnsupported(
            f"model.yaml says input.{name} is {wanted}, the model takes {own} alone", fix=f"remove input.{name}"
        )
    return own or wanted


def _unsupported(message: str) -> ModelUnsupported:
    return ModelUnsupported(message, fix="export the model with one float input of shape (batch, 3, height, width)")
