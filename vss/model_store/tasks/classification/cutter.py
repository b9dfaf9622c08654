"""The pixels of a picture that a classifier looks at."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from vss.codecs.images import Image
from vss.model_store.tasks.classification.crop import CentreCrop
from vss.model_store.tasks.classification.scaling import Scaler


@dataclass(frozen=True, slots=True)
class Preparation:
    """How pictures become a classifier's input.

    Attributes:
        crop: How they are scaled and cut.
        rgb: Channels in the order red, green, blue; else as they come: blue, green, red.
        scale: What 0..255 is multiplied by.
        mean: Taken off each channel then: red, green, blue, whatever the order of the input's channels.
        std: Divides each channel then, in the same order.
        bicubic: Whether scaling is bicubic; bilinear otherwise.
    """

    crop: CentreCrop
    rgb: bool
    scale: float
    mean: tuple[float, float, float]
    std: tuple[float, float, float]
    bicubic: bool

    @property
    def factors(self) -> tuple[float, float, float]:
        """What a byte is multiplied by, in the order of the input's channels."""
        red, green, blue = (self.scale / std for std in self.std)
        return (red, green, blue) if self.rgb else (blue, green, red)

    @property
    def offsets(self) -> tuple[float, float, float]:
        """What is added then."""
        red, green, blue = (-mean / std for mean, std in zip(self.mean, self.std, strict=True))
        return (red, green, blue) if self.rgb else (blue, green, red)


class Cutter:
    """Scales pictures and cuts them. What scales is kept for pictures of the same size, as a camera's are.

    Args:
        preparation: How.
    """

    def __init__(self, preparation: Preparation) -> None:
        self._preparation = preparation
        self._of: tuple[tuple[int, ...], tuple[int, int]] | None = None
        self._scaler: Scaler
        self._cut: tuple[slice, slice]

    def cut(self, image: Image, source_wh: tuple[int, int]) -> NDArray[np.uint8]:
        """Shape (height, width, 3) of the input, blue, green, red; a view that the next call writes over."""
        if self._of != (image.shape, source_wh):
            self._fit(image, source_wh)
        return self._scaler.scale(image)[self._cut]

    def _fit(self, image: Image, source_wh: tuple[int, int]) -> None:
        crop = self._preparation.crop
        place = crop.place(*source_wh)
        right, bottom = place.left + crop.width, place.top + crop.height
        self._scaler = Scaler(
            (image.shape[1], image.shape[0]),
            (place.width, place.height),
            needed=(place.left, place.top, right, bottom),
            bicubic=self._preparation.bicubic,
        )
        self._cut = slice(place.top, bottom), slice(place.left, right)
        self._of = image.shape, source_wh
