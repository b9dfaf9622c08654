"""What a task does to a picture's bytes before the model sees them, for a model that can do it on its device.

A byte a channel crosses the bus instead of a float32, and the CPU neither widens nor scales nor splits channels.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol, runtime_checkable

from vss.model_store.backends.model import Model

Channels = tuple[float, float, float]


@dataclass(frozen=True, slots=True)
class PixelScaling:
    """`input[c] = byte[c] · scale[c] + offset[c]`, channels in the model's order.

    Attributes:
        rgb: Whether that order is red, green, blue; else blue, green, red, as pictures are decoded.
        scale: For each channel.
        offset: For each channel.
    """

    rgb: bool
    scale: Channels
    offset: Channels = (0.0, 0.0, 0.0)


@runtime_checkable
class TakesPixels(Protocol):
    """A model that may be changed so that it takes pixels."""

    def take_pixels(self, scaling: PixelScaling) -> bool:
        """Changes the model, before it is used. Returns whether it did."""


def fuse_pixels(model: Model, scaling: PixelScaling) -> bool:
    """Moves the scaling of pictures to the model's device, where that pays.

    Returns:
        Whether it did. Then `model.run` takes uint8 of shape (batch, height, width, 3), blue, green, red, from now on.

    Raises:
        ModelError: The model cannot be loaded so.
    """
    return isinstance(model, TakesPixels) and model.take_pixels(scaling)
