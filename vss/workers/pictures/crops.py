"""Which part of a frame a second model looks at to tell what an object is."""

from __future__ import annotations

import hashlib
import math
from collections.abc import Sequence
from typing import Final

from vss.codecs.images import Image
from vss.model_store.runner.picture import Picture
from vss.workers.pictures.kept import KeptPicture

Crop = tuple[int, int, int, int]
"""left, top, right, bottom in whole pixels."""

# Classifiers cut a square out of a picture's centre, by default 7/8 of its shorter side: of this square that is the
# whole object, whatever its shape, and what lies around it.
_MARGIN: Final = 8 / 7


def crop_of(bbox: tuple[float, float, float, float], width: int, height: int) -> Crop:
    """A square around an object, 8/7 as long as its longer side: moved into the frame, and cut where that is smaller.

    Args:
        bbox: x1, y1, x2, y2 in pixels of the frame.
        width: Of the frame, pixels.
        height: Of the frame, pixels.

    Returns:
        left, top, right, bottom in whole pixels; never empty.
    """
    x1, y1, x2, y2 = bbox
    side = max(1, math.ceil(max(x2 - x1, y2 - y1) * _MARGIN))
    left, right = _span((x1 + x2) / 2, side, width)
    top, bottom = _span((y1 + y2) / 2, side, height)
    return left, top, right, bottom


def cut(kept: KeptPicture, crops: Sequence[Crop]) -> list[Picture]:
    """Parts of a frame as pictures of their own, never decoded smaller.

    The frame's pixels go, and those of the parts stay, where these are fewer. A frame that nobody has decoded yet, for
    its answer was known, is only decoded when one of its parts is asked for.
    """
    image = kept.image
    area = sum((right - left) * (bottom - top) for left, top, right, bottom in crops)
    if image is None or area > image.shape[0] * image.shape[1]:
        return [_part(kept, crop) for crop in crops]
    parts = [image[top:bottom, left:right].copy() for left, top, right, bottom in crops]
    kept.drop()
    return [Picture.decoded(part) for part in parts]


def content_of(frame: bytes, crop: Crop) -> bytes:
    """What tells a crop from others without its pixels: a frame that was seen before need not be decoded."""
    return hashlib.blake2b(frame, digest_size=32).digest() + b",".join(b"%d" % edge for edge in crop)


def _part(kept: KeptPicture, crop: Crop) -> Picture:
    left, top, right, bottom = crop

    def load(_at_least: tuple[int, int]) -> Image:
        return kept.load()[top:bottom, left:right]

    return Picture(right - left, bottom - top, load)


def _span(centre: float, side: int, length: int) -> tuple[int, int]:
    side = min(side, length)
    start = min(max(0, round(centre - side / 2)), length - side)
    return start, start + side
