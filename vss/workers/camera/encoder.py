"""From a captured picture to the bytes of a record."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from vss.codecs.images import CONTENT_TYPES, encode_image
from vss.workers.camera.picture import Picture

DEFAULT_QUALITY = 85


@dataclass(frozen=True, slots=True)
class EncodedFrame:
    """The value of a record and what its headers say about it.

    Attributes:
        width: Pixels, after scaling.
        height: Pixels, after scaling.
    """

    data: bytes
    content_type: str
    width: int
    height: int


class Encoder:
    """Scales and encodes; passes a JPEG on untouched where it is wanted just so.

    Args:
        codec: What to make.
        width: Wider pictures are scaled down to it.
        quality: Of JPEG, 1..100. None is 85, and leaves JPEGs as they come.
    """

    def __init__(self, *, codec: Literal["jpeg", "png", "raw"], width: int | None, quality: int | None) -> None:
        self._codec = codec
        self._width = width
        self._quality = quality if quality is not None else DEFAULT_QUALITY
        self._may_pass_on = codec == "jpeg" and quality is None

    def encode(self, picture: Picture) -> EncodedFrame:
        """Encodes one picture.

        Raises:
            UndecodableImage: The source's bytes were no whole picture.
        """
        content_type = CONTENT_TYPES[self._codec]
        if self._may_pass_on and (jpeg := picture.publishable_jpeg(self._width)) is not None:
            data, width, height = jpeg
            return EncodedFrame(data, content_type, width, height)
        pixels = picture.pixels(self._width)
        height, width = pixels.shape[:2]
        return EncodedFrame(encode_image(pixels, self._codec, quality=self._quality), content_type, width, height)
