"""Clips and pictures made on the spot: frame `i` is one flat grey, so that a test can tell which frame it sees."""

from __future__ import annotations

from collections.abc import Callable
from fractions import Fraction
from pathlib import Path

import av
import cv2
import numpy as np

from vss.codecs.images import Image

LEVELS = 24
"""Frames whose greys stay apart through lossy coding."""


def grey_of(index: int) -> int:
    return 10 + (index % LEVELS) * 10


def index_of(image: Image) -> int:
    return round((float(image.mean()) - 10) / 10)


def grey_image(index: int, width: int = 96, height: int = 64) -> Image:
    return np.full((height, width, 3), grey_of(index), np.uint8)


def jpeg_of(index: int, width: int = 96, height: int = 64) -> bytes:
    return cv2.imencode(".jpg", grey_image(index, width, height))[1].tobytes()


def make_clip(
    path: Path,
    *,
    frames: int = 20,
    fps: int = 25,
    codec: str = "libx264",
    image_of: Callable[[int], Image] = grey_image,
) -> Path:
    with av.open(str(path), "w") as container:
        stream = container.add_stream(codec, rate=fps)
        assert isinstance(stream, av.VideoStream)
        stream.height, stream.width = image_of(0).shape[:2]
        stream.pix_fmt = "yuvj420p" if codec == "mjpeg" else "yuv420p"
        stream.codec_context.thread_count = 1
        if codec == "libx264":
            stream.options = {"preset": "ultrafast", "g": "10"}
        for index in range(frames):
            frame = av.VideoFrame.from_ndarray(image_of(index), format="bgr24")
            frame.pts = index
            frame.time_base = Fraction(1, fps)
            container.mux(stream.encode(frame))
        container.mux(stream.encode(None))
    return path
