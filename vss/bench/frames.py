"""Frames to measure with: of a video, or made up."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Final

import av
import av.error
import cv2
import numpy as np

from vss.codecs.image_headers import MalformedHeader, jpeg_size
from vss.codecs.images import Image, encode_image
from vss.errors import SourceUnreadable
from vss.testing import make_image

SIZES: Final = {"768x432": (768, 432), "1080p": (1920, 1080), "32x32": (32, 32)}
_DISTINCT: Final = 64
# Frames that follow one another are nearly the same picture.
_STEP: Final = 10


def make_jpegs(video: Path | None, size: tuple[int, int], *, quality: int = 85) -> list[bytes]:
    """At most 64 different JPEGs.

    Args:
        video: Where frames come from, every tenth; a made-up scene when None.
        size: Width and height, pixels; frames are scaled to it.
        quality: Of the JPEGs.

    Raises:
        SourceUnreadable: The video does not open or holds no frame.
    """
    images = _video_frames(video) if video is not None else (make_image(*size, seed=i) for i in range(_DISTINCT))
    jpegs = []
    for image in images:
        if image.shape[1::-1] != size:
            image = cv2.resize(image, size, interpolation=cv2.INTER_CUBIC).astype(np.uint8, copy=False)
        jpegs.append(encode_image(image, "jpeg", quality=quality))
    if not jpegs:
        raise SourceUnreadable(f"{video} holds no frame", fix="give another video with --video")
    return jpegs


def read_jpegs(folder: Path) -> tuple[list[bytes], tuple[int, int]]:
    """At most 64 JPEGs of a folder and all below it, taken evenly, as they are; and the size of the first.

    Raises:
        SourceUnreadable: It holds none, or the first is none that can be read.
    """
    files = [path for path in sorted(folder.rglob("*")) if path.suffix.lower() in {".jpg", ".jpeg"}]
    if not files:
        raise SourceUnreadable(f"no JPEGs in {folder}", fix="give another folder with --pictures")
    jpegs = [path.read_bytes() for path in files[:: -(-len(files) // _DISTINCT)]]
    try:
        return jpegs, jpeg_size(jpegs[0])
    except MalformedHeader as error:
        raise SourceUnreadable(f"{files[0]} is no JPEG: {error}", fix="give another folder with --pictures") from error


def _video_frames(video: Path) -> Iterator[Image]:
    try:
        with av.open(str(video)) as container:
            taken = 0
            for number, frame in enumerate(container.decode(video=0)):
                if number % _STEP == 0:
                    yield frame.to_ndarray(format="bgr24").astype(np.uint8, copy=False)
                    taken += 1
                    if taken == _DISTINCT:
                        return
    except (av.error.FFmpegError, IndexError, OSError) as error:
        raise SourceUnreadable(f"{video} cannot be read: {error}", fix="give another video with --video") from error
