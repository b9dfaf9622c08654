"""Pictures and clips that tests make."""

from __future__ import annotations

from pathlib import Path

import av
import cv2
import numpy as np

from vss.codecs.images import Image, encode_image


def picture(level: int, width: int = 96, height: int = 64) -> Image:
    """A grey picture whose level can be read back from its pixels."""
    return np.full((height, width, 3), level, np.uint8)


def write_image(path: Path, level: int, width: int = 96, height: int = 64) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    image = picture(level, width, height)
    if path.suffix in {".jpg", ".jpeg"}:
        path.write_bytes(encode_image(image, "jpeg", quality=95))
    else:
        path.write_bytes(cv2.imencode(path.suffix, image)[1].tobytes())
    return path


def write_clip(path: Path, levels: list[int], *, rate: int = 10, width: int = 96, height: int = 64) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    with av.open(str(path), "w") as container:
        stream = container.add_stream("libx264", rate=rate, options={"crf": "5"})
        stream.width, stream.height, stream.pix_fmt = width, height, "yuv420p"
        for level in levels:
            frame = av.VideoFrame.from_ndarray(picture(level, width, height), format="bgr24")
            container.mux(stream.encode(frame))
        container.mux(stream.encode(None))
    return path


def read_clip(path: Path) -> list[tuple[float, Image]]:
    """Time in seconds and pixels of each frame."""
    with av.open(str(path)) as container:
        return [(frame.time or 0.0, frame.to_ndarray(format="bgr24")) for frame in container.decode(video=0)]  # type: ignore[misc]
