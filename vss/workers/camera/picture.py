"""A captured picture before it is encoded: pixels are made when somebody asks, off the capture thread."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol

import av
import cv2
import numpy as np

from vss.codecs.images import Image, ImageInfo, decode_image
from vss.errors import UndecodableImage
from vss.workers.camera.jpeg_header import JpegHeader, read_jpeg_header


class Picture(Protocol):
    """One picture, in whatever form the source has it."""

    def pixels(self, max_width: int | None) -> Image:
        """(H, W, 3) uint8 BGR, scaled down to `max_width` with its aspect kept when it is wider.

        Raises:
            UndecodableImage: The bytes are no whole picture.
        """

    def publishable_jpeg(self, max_width: int | None) -> tuple[bytes, int, int] | None:
        """The source's own JPEG with its width and height, where any reader can take it as it is; else None."""


class DecodedPicture:
    """A frame that a video decoder made.

    Args:
        frame: In the decoder's own pixel format; rotation in its side data is applied.
    """

    def __init__(self, frame: av.VideoFrame) -> None:
        self._frame = frame

    def pixels(self, max_width: int | None) -> Image:
        """See `Picture.pixels`."""
        frame = self._frame
        quarter_turns = round(frame.rotation / 90) % 4
        sideways = quarter_turns % 2 == 1
        shown_wh = (frame.height, frame.width) if sideways else (frame.width, frame.height)
        width, height = scaled_down(shown_wh, max_width)
        if sideways:
            width, height = height, width
        image = frame.reformat(width=width, height=height, format="bgr24", interpolation="AREA").to_ndarray()
        # FFmpeg counts degrees anticlockwise, as NumPy does.
        return np.ascontiguousarray(np.rot90(image, quarter_turns)) if quarter_turns else image  # type: ignore[return-value]

    def publishable_jpeg(self, max_width: int | None) -> None:
        """See `Picture.publishable_jpeg`; a video's frame is none."""
        return


class EncodedPicture:
    """A picture in a file format: a JPEG of an MJPEG stream, a file of a folder.

    Args:
        data: The whole file.
    """

    def __init__(self, data: bytes) -> None:
        self._data = data
        self._jpeg: JpegHeader | None = read_jpeg_header(data)

    def pixels(self, max_width: int | None) -> Image:
        """See `Picture.pixels`."""
        image = self._decode()
        height, width = image.shape[:2]
        wanted_wh = scaled_down((width, height), max_width)
        if wanted_wh == (width, height):
            return image
        return cv2.resize(image, wanted_wh, interpolation=cv2.INTER_AREA)  # type: ignore[return-value]

    def publishable_jpeg(self, max_width: int | None) -> tuple[bytes, int, int] | None:
        """See `Picture.publishable_jpeg`."""
        jpeg = self._jpeg
        if jpeg is None or not jpeg.self_contained or (max_width is not None and jpeg.width > max_width):
            return None
        return self._data, jpeg.width, jpeg.height

    def _decode(self) -> Image:
        if self._jpeg is not None and self._jpeg.self_contained:
            return decode_image(self._data, ImageInfo("jpeg", self._jpeg.width, self._jpeg.height))
        if self._data[:2] == b"\xff\xd8" and (self._jpeg is None or not self._jpeg.complete):
            # OpenCV would fill what is missing with grey.
            raise UndecodableImage("the JPEG breaks off")
        try:
            # Applies the orientation in EXIF, and knows the default Huffman tables that webcams leave out.
            image = cv2.imdecode(np.frombuffer(self._data, np.uint8), cv2.IMREAD_COLOR) if self._data else None
        except cv2.error as error:
            raise UndecodableImage(f"no picture OpenCV can read: {error.err}") from error
        if image is None:
            raise UndecodableImage("no picture OpenCV can read")
        return image  # type: ignore[return-value]


def scaled_down(size_wh: Sequence[int], max_width: int | None) -> tuple[int, int]:
    """Width and height that fit `max_width` with the aspect kept; never larger than before."""
    width, height = size_wh
    if max_width is None or width <= max_width:
        return width, height
    return max_width, max(1, round(height * max_width / width))
