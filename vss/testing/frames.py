"""Makers of frames, whole and broken, as a camera or any other producer would write them."""

from __future__ import annotations

import cv2
import numpy as np

from vss.codecs.headers import encode_frame_header
from vss.codecs.images import CONTENT_TYPES, Format, Image, encode_image
from vss.schemas.envelope import Message
from vss.schemas.frame import FrameHeader

_CAPTURED_NS = 1_700_000_000_000_000_000
_FRAME_NS = 100_000_000


def make_image(width: int = 320, height: int = 240, seed: int = 0) -> Image:
    """A picture with gradients, shapes and a little noise; the same seed gives the same picture."""
    rng = np.random.default_rng(seed)
    rows = np.linspace(40, 200, height)[:, None, None]
    columns = np.linspace(0, 55, width)[None, :, None]
    image = (rows + columns * np.array([1.0, 0.5, 0.2]) + rng.normal(0, 3, (height, width, 3))).clip(0, 255)
    picture = np.ascontiguousarray(image.astype(np.uint8))
    for _ in range(4):
        corner = (int(rng.integers(0, width)), int(rng.integers(0, height)))
        opposite = (corner[0] + width // 5, corner[1] + height // 5)
        cv2.rectangle(picture, corner, opposite, rng.integers(0, 255, 3).tolist(), -1)
    return picture


def make_frame(
    camera_id: str = "camera",
    image: Image | None = None,
    *,
    topic: str = "vss.frames",
    codec: Format = "jpeg",
    quality: int = 85,
    seq: int = 0,
    epoch: int = 0,
    captured_ns: int | None = None,
    model: str | None = None,
) -> Message:
    """A frame as a camera of ours writes it.

    Args:
        camera_id: The key.
        image: The picture; `make_image(seed=seq)` by default.
        topic: Where it goes.
        codec: How it is encoded.
        quality: Of a JPEG.
        seq: Counts the camera's frames.
        epoch: Start of the camera's run.
        captured_ns: Capture time; ten frames a second from a fixed moment by default.
        model: Routes the frame to one model.
    """
    picture = image if image is not None else make_image(seed=seq)
    header = FrameHeader(
        camera_id=camera_id,
        id=f"{camera_id}-{epoch}-{seq}",
        source=f"/cameras/{camera_id}",
        content_type=CONTENT_TYPES[codec],
        captured_ns=captured_ns if captured_ns is not None else _CAPTURED_NS + seq * _FRAME_NS,
        epoch=epoch,
        seq=seq,
        pts_ns=seq * _FRAME_NS,
        width=picture.shape[1],
        height=picture.shape[0],
        model=model,
    )
    value = encode_image(picture, codec, quality=quality)
    return Message(topic, camera_id.encode(), value, encode_frame_header(header))


def make_bomb(width: int = 10_000, height: int = 10_000) -> bytes:
    """A JPEG of a few hundred bytes whose header announces that many pixels."""
    jpeg = bytearray(encode_image(make_image(16, 16), "jpeg"))
    # SOF0 is: ff c0, two bytes of length, one of precision, then height and width.
    start = jpeg.index(b"\xff\xc0") + 5
    jpeg[start : start + 4] = height.to_bytes(2, "big") + width.to_bytes(2, "big")
    return bytes(jpeg)


def make_bad_frames(camera_id: str = "camera", *, topic: str = "vss.frames") -> dict[str, Message]:
    """Frames that can never be processed, by the name of the error that refuses each."""
    good = make_frame(camera_id, topic=topic)
    value = good.value or b""
    key = camera_id.encode()

    def declared(content_type: str) -> tuple[tuple[str, bytes | None], ...]:
        return (("datacontenttype", content_type.encode()),)

    return {
        "MissingKey": Message(topic, None, value, good.headers),
        "EmptyValue": Message(topic, key, None, good.headers),
        "BadHeader": Message(topic, key, value, (("vss_seq", b"minus one"),)),
        "UnsupportedContentType": Message(topic, key, value, declared("image/png")),
        "UndecodableImage": Message(topic, key, value[: len(value) // 2], good.headers),
        "ImageTooLarge": Message(topic, key, make_bomb(), declared("image/jpeg")),
        "RecordTooLarge": Message(topic, key, b"\x00" * (10 << 20), good.headers),
    }
