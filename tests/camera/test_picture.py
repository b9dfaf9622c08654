from __future__ import annotations

import struct
from pathlib import Path

import cv2
import numpy as np
import pytest

from tests.camera.clips import grey_image, jpeg_of, make_clip
from vss.codecs.images import Image
from vss.errors import UndecodableImage
from vss.workers.camera.encoder import Encoder
from vss.workers.camera.jpeg_header import read_jpeg_header
from vss.workers.camera.picture import EncodedPicture, Picture, scaled_down
from vss.workers.camera.video_file import VideoFile

# A big-endian TIFF with one entry: tag 0x0112 (orientation), SHORT, 1 value, 6 (turn by 90 degrees clockwise).
EXIF_TURNED = b"Exif\0\0MM\0*\0\0\0\x08\0\x01\x01\x12\0\x03\0\0\0\x01\0\x06\0\0\0\0\0\0"


def with_segment(jpeg: bytes, marker: int, body: bytes) -> bytes:
    return jpeg[:2] + bytes([0xFF, marker]) + struct.pack(">H", len(body) + 2) + body + jpeg[2:]


def without_huffman_tables(jpeg: bytes) -> bytes:
    """As webcams send them."""
    kept, at = jpeg[:2], 2
    while jpeg[at + 1] != 0xDA:
        end = at + 2 + int.from_bytes(jpeg[at + 2 : at + 4], "big")
        kept += jpeg[at:end] if jpeg[at + 1] != 0xC4 else b""
        at = end
    return kept + jpeg[at:]


def first_picture(file: Path) -> Picture:
    stream = VideoFile(str(file)).open()
    try:
        shot = stream.read()
        assert shot is not None
        assert shot.picture is not None
        return shot.picture
    finally:
        stream.close()


def half_and_half(width: int = 96, height: int = 64) -> Image:
    image = np.zeros((height, width, 3), np.uint8)
    image[: height // 2] = 255
    return image


def test_a_jpeg_of_the_wanted_size_is_passed_on_byte_for_byte() -> None:
    jpeg = jpeg_of(3)
    encoded = Encoder(codec="jpeg", width=96, quality=None).encode(EncodedPicture(jpeg))
    assert (encoded.data, encoded.width, encoded.height, encoded.content_type) == (jpeg, 96, 64, "image/jpeg")


@pytest.mark.parametrize(
    ("encoder", "size_wh"),
    [
        (Encoder(codec="jpeg", width=48, quality=None), (48, 32)),
        (Encoder(codec="jpeg", width=None, quality=50), (96, 64)),
        (Encoder(codec="png", width=None, quality=None), (96, 64)),
        (Encoder(codec="png", width=4096, quality=None), (96, 64)),
    ],
)
def test_another_size_quality_or_codec_makes_it_anew(encoder: Encoder, size_wh: tuple[int, int]) -> None:
    jpeg = jpeg_of(3)
    encoded = encoder.encode(EncodedPicture(jpeg))
    assert encoded.data != jpeg
    image = cv2.imdecode(np.frombuffer(encoded.data, np.uint8), cv2.IMREAD_COLOR)
    assert image is not None
    assert (encoded.width, encoded.height) == (image.shape[1], image.shape[0]) == size_wh
    assert abs(float(image.mean()) - grey_image(3).mean()) < 3


def test_a_raw_frame_is_rows_of_bgr() -> None:
    encoded = Encoder(codec="raw", width=None, quality=None).encode(EncodedPicture(jpeg_of(3)))
    assert encoded.content_type == "image/x-raw"
    assert len(encoded.data) == encoded.width * encoded.height * 3 == 96 * 64 * 3


@pytest.mark.parametrize(
    ("size_wh", "max_width", "wanted_wh"),
    [((1920, 1080), 640, (640, 360)), ((640, 480), 1280, (640, 480)), ((1000, 3), 16, (16, 1)), ((7, 9), None, (7, 9))],
)
def test_scaling_keeps_the_aspect_and_never_enlarges(
    size_wh: tuple[int, int], max_width: int | None, wanted_wh: tuple[int, int]
) -> None:
    assert scaled_down(size_wh, max_width) == wanted_wh


@pytest.mark.parametrize("width", [None, 48])
def test_a_truncated_jpeg_is_undecodable_and_no_grey_half_picture(width: int | None) -> None:
    picture = EncodedPicture(jpeg_of(3)[:-40])
    with pytest.raises(UndecodableImage):
        Encoder(codec="jpeg", width=width, quality=None).encode(picture)


@pytest.mark.parametrize("data", [b"", b"\xff\xd8", b"\xff\xd8\xff", b"no picture", b"\x89PNG\r\n\x1a\n" + b"\0" * 50])
def test_bytes_that_are_no_picture_are_undecodable(data: bytes) -> None:
    with pytest.raises(UndecodableImage):
        Encoder(codec="jpeg", width=None, quality=None).encode(EncodedPicture(data))


def test_a_webcam_jpeg_without_huffman_tables_is_made_whole() -> None:
    bare = without_huffman_tables(jpeg_of(3))
    header = read_jpeg_header(bare)
    assert header is not None
    assert header.complete
    assert not header.self_contained
    encoded = Encoder(codec="jpeg", width=None, quality=None).encode(EncodedPicture(bare))
    remade = read_jpeg_header(encoded.data)
    assert remade is not None
    assert remade.self_contained


def test_an_orientation_in_exif_is_applied_once_and_for_all() -> None:
    upright = cv2.imencode(".jpg", half_and_half())[1].tobytes()
    turned = with_segment(upright, 0xE1, EXIF_TURNED)
    encoded = Encoder(codec="jpeg", width=None, quality=None).encode(EncodedPicture(turned))
    assert (encoded.width, encoded.height) == (64, 96)
    image = cv2.imdecode(np.frombuffer(encoded.data, np.uint8), cv2.IMREAD_COLOR)
    assert image is not None
    assert image[:, -8:].mean() > 240  # the top has become the right side
    assert image[:, :8].mean() < 15


def test_zeros_behind_the_end_of_a_jpeg_do_no_harm() -> None:
    header = read_jpeg_header(jpeg_of(3) + b"\0" * 7)
    assert header is not None
    assert header.complete


def test_a_video_filmed_sideways_is_published_upright(tmp_path: Path) -> None:
    clip = make_clip(tmp_path / "clip.mp4", frames=3, image_of=lambda _index: half_and_half())
    # The matrix of the track header, ISO 14496-12 8.3.2: [a b u c d v x y w]; this one turns by 90 degrees clockwise.
    data = clip.read_bytes()
    at = data.index(b"tkhd") + 4 + 40
    one = 0x10000
    assert struct.unpack_from(">9i", data, at) == (one, 0, 0, 0, one, 0, 0, 0, 1 << 30)
    clip.write_bytes(data[:at] + struct.pack(">9i", 0, one, 0, -one, 0, 0, 64 * one, 0, 1 << 30) + data[at + 36 :])
    picture = first_picture(clip)
    upright = picture.pixels(None)
    assert upright.shape == (96, 64, 3)
    assert upright[:, -8:].mean() > 240  # the top has become the right side
    assert upright[:, :8].mean() < 15
    assert picture.pixels(32).shape == (48, 32, 3)


def test_a_video_frame_is_scaled_down_but_never_up(clip: Path) -> None:
    picture = first_picture(clip)
    assert picture.pixels(None).shape == (64, 96, 3)
    assert picture.pixels(48).shape == (32, 48, 3)
    assert picture.pixels(960).shape == (64, 96, 3)
