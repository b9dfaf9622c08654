"""A picture that is still to be looked at: its size, and how to get at its pixels."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from vss.codecs.images import Image, ImageInfo, decode_image


@dataclass(frozen=True, slots=True)
class Picture:
    """A picture whose decoding is left to the runner's threads.

    Attributes:
        width: Of the source, pixels; boxes are in these pixels.
        height: Of the source, pixels.
        load: Returns the image at its size or, to save time, smaller, but not below the width and height it is given.
    """

    width: int
    height: int
    load: Callable[[tuple[int, int]], Image]

    @classmethod
    def encoded(cls, value: bytes, info: ImageInfo) -> Picture:
        """One that `read_image_info` has let pass."""
        return cls(info.width, info.height, lambda at_least: decode_image(value, info, at_least=at_least))

    @classmethod
    def decoded(cls, image: Image) -> Picture:
        """One whose pixels are there."""
        return cls(image.shape[1], image.shape[0], lambda _: image)
