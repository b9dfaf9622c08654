import struct
import zlib

import cv2
import numpy as np
import pytest
import simplejpeg

from vss import errors
from vss.codecs.headers import decode_frame_header
from vss.codecs.images import CONTENT_TYPES, Format, ImageInfo, decode_image, encode_image, read_image_info
from vss.config import Limits
from vss.errors import (
    BadHeader,
    EmptyValue,
    ImageTooLarge,
    RecordTooLarge,
    UndecodableImage,
    UnsupportedContentType,
)
from vss.schemas.envelope import Message, Record
from vss.schemas.frame import FrameHeader
from vss.testing import make_bad_frames, make_bomb, make_frame, make_image

LIMITS = Limits()


def header(**fields: object) -> FrameHeader:
    return FrameHeader(camera_id="gate", **fields)  # type: ignore[arg-type]


@pytest.mark.parametrize("codec", ["jpeg", "png", "raw"])
def test_what_was_encoded_comes_back(codec: Format) -> None:
    image = make_image(64, 48)
    value = encode_image(image, codec, quality=95)
    info = read_image_info(value, header(content_type=CONTENT_TYPES[codec], width=64, height=48), LIMITS)
    decoded = decode_image(value, info)
    assert info == ImageInfo(codec, 64, 48)
    assert decoded.shape == (48, 64, 3)
    assert decoded.dtype == np.uint8
    difference = np.abs(decoded.astype(int) - image).mean()
    assert difference == 0 if codec != "jpeg" else difference < 5


@pytest.mark.parametrize("codec", ["jpeg", "png"])
@pytest.mark.parametrize("content_type", [None, "", "application/octet-stream"])
def test_a_producer_that_does_not_name_the_format_is_served(codec: Format, content_type: str | None) -> None:
    value = encode_image(make_image(64, 48), codec)
    assert read_image_info(value, header(content_type=content_type), LIMITS).format == codec


@pytest.mark.parametrize("content_type", ["image/jpeg", "IMAGE/JPEG", "image/jpg", "image/jpeg; quality=85"])
def test_a_media_type_is_read_as_the_standard_says(content_type: str) -> None:
    value = encode_image(make_image(64, 48), "jpeg")
    assert read_image_info(value, header(content_type=content_type), LIMITS).format == "jpeg"


@pytest.mark.parametrize("value", [None, b""])
def test_no_bytes_are_an_empty_value(value: bytes | None) -> None:
    with pytest.raises(EmptyValue):
        read_image_info(value, header(), LIMITS)


def test_a_value_above_the_limit_is_refused_unread() -> None:
    with pytest.raises(RecordTooLarge, match="101 bytes, the limit is 100"):
        read_image_info(b"\xff" * 101, header(), Limits(max_record_bytes=100))


@pytest.mark.parametrize("content_type", ["image/webp", "text/plain", "jpeg"])
def test_a_format_we_do_not_read_is_refused_by_name(content_type: str) -> None:
    with pytest.raises(UnsupportedContentType, match=content_type):
        read_image_info(encode_image(make_image(), "jpeg"), header(content_type=content_type), LIMITS)


@pytest.mark.parametrize(("codec", "declared"), [("jpeg", "png"), ("png", "jpeg"), ("jpeg", "raw")])
def test_a_declared_format_that_the_bytes_are_not_in_is_refused(codec: Format, declared: Format) -> None:
    value = encode_image(make_image(64, 48), codec)
    fields = header(content_type=CONTENT_TYPES[declared], width=64, height=48)
    with pytest.raises(UnsupportedContentType, match=CONTENT_TYPES[codec]):
        read_image_info(value, fields, LIMITS)


def test_garbage_is_undecodable_whatever_it_is_called() -> None:
    for content_type in (None, "image/jpeg", "image/png"):
        with pytest.raises(UndecodableImage, match="deadbeef"):
            read_image_info(b"\xde\xad\xbe\xef" * 9, header(content_type=content_type), LIMITS)


@pytest.mark.parametrize("kept", [0.1, 0.5, 0.9, 0.99])
def test_a_truncated_jpeg_is_refused_rather_than_painted_grey(kept: float) -> None:
    value = encode_image(make_image(), "jpeg")
    cut = value[: int(len(value) * kept)]
    with pytest.raises(UndecodableImage):
        decode_image(cut, read_image_info(cut, header(), LIMITS))


@pytest.mark.parametrize("kept", [0.1, 0.5, 0.9, 0.999])
def test_a_truncated_png_is_refused(kept: float) -> None:
    value = encode_image(make_image(), "png")
    with pytest.raises(UndecodableImage, match="cut off"):
        read_image_info(value[: int(len(value) * kept)], header(), LIMITS)


@pytest.mark.parametrize("value", [b"\xff\xd8\xff", b"\xff\xd8\xff\xe0\x00\x10JFIF", b"\x89PNG\r\n\x1a\n"])
def test_a_signature_alone_is_undecodable(value: bytes) -> None:
    with pytest.raises(UndecodableImage):
        read_image_info(value, header(), LIMITS)


def test_a_png_with_garbage_inside_is_undecodable() -> None:
    value = bytearray(encode_image(make_image(), "png"))
    start = value.index(b"IDAT") + 40
    value[start : start + 200] = b"\x00" * 200
    info = read_image_info(bytes(value), header(), LIMITS)
    with pytest.raises(UndecodableImage):
        decode_image(bytes(value), info)


def test_a_jpeg_bomb_is_refused_by_its_header() -> None:
    bomb = make_bomb(10_000, 10_000)
    assert len(bomb) < 2000
    with pytest.raises(ImageTooLarge, match="10000x10000 pixels, the limit is 50000000"):
        read_image_info(bomb, header(), LIMITS)


def test_a_png_bomb_is_refused_by_its_header() -> None:
    def chunk(kind: bytes, data: bytes) -> bytes:
        return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))

    size = struct.pack(">IIBBBBB", 60_000, 60_000, 8, 2, 0, 0, 0)
    bomb = b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", size) + chunk(b"IDAT", b"") + chunk(b"IEND", b"")
    with pytest.raises(ImageTooLarge):
        read_image_info(bomb, header(), LIMITS)


def test_a_jpeg_of_endless_scans_is_refused() -> None:
    _, progressive = cv2.imencode(".jpg", make_image(), [cv2.IMWRITE_JPEG_PROGRESSIVE, 1])
    value = progressive.tobytes()
    assert read_image_info(value, header(), LIMITS).format == "jpeg"
    scan = value.index(b"\xff\xda")
    with pytest.raises(UndecodableImage, match="more than 100 scans"):
        read_image_info(value[:scan] + b"\xff\xda\x00\x02" * 101 + value[scan:], header(), LIMITS)


def test_scans_behind_a_whole_picture_cost_nothing() -> None:
    value = encode_image(make_image(64, 48), "jpeg")
    behind = value[:-2] + value[value.index(b"\xff\xda") : -2] * 200 + value[-2:]
    info = read_image_info(behind, header(), LIMITS)
    with pytest.raises(UndecodableImage):
        decode_image(behind, info)


@pytest.mark.parametrize("sizes", [{}, {"width": 8}, {"width": 0, "height": 8}])
def test_a_raw_frame_needs_its_size(sizes: dict[str, int]) -> None:
    with pytest.raises(BadHeader, match="vss_width and vss_height"):
        read_image_info(bytes(8 * 8 * 3), header(content_type="image/x-raw", **sizes), LIMITS)


def test_a_raw_frame_of_another_length_is_refused() -> None:
    with pytest.raises(BadHeader, match="192 bytes, there are 191"):
        read_image_info(bytes(191), header(content_type="image/x-raw", width=8, height=8), LIMITS)


@pytest.mark.parametrize(
    ("at_least", "decoded"),
    [((640, 360), (960, 540)), ((416, 234), (480, 270)), ((960, 540), (960, 540)), ((961, 10), (1920, 1080))],
)
def test_a_large_jpeg_is_decoded_smaller_but_not_below_what_is_needed(
    at_least: tuple[int, int], decoded: tuple[int, int]
) -> None:
    value = encode_image(make_image(1920, 1080), "jpeg")
    info = read_image_info(value, header(), LIMITS)
    image = decode_image(value, info, at_least=at_least)
    assert (image.shape[1], image.shape[0]) == decoded


def test_a_small_jpeg_and_other_formats_are_decoded_whole() -> None:
    codec: Format
    for codec in ("jpeg", "png", "raw"):
        value = encode_image(make_image(64, 48), codec)
        image = decode_image(value, ImageInfo(codec, 64, 48), at_least=(640, 480))
        assert image.shape == (48, 64, 3)


def test_grey_and_progressive_jpegs_are_read() -> None:
    image = make_image(64, 48)
    _, grey = cv2.imencode(".jpg", cv2.cvtColor(image, cv2.COLOR_BGR2GRAY))
    _, progressive = cv2.imencode(".jpg", image, [cv2.IMWRITE_JPEG_PROGRESSIVE, 1])
    for encoded in (grey, progressive):
        value = encoded.tobytes()
        assert decode_image(value, read_image_info(value, header(), LIMITS)).shape == (48, 64, 3)


def test_a_jpeg_in_the_inks_of_printing_is_read() -> None:
    inks = np.dstack([255 - make_image(64, 48), np.full((48, 64), 255, np.uint8)])
    value = simplejpeg.encode_jpeg(np.ascontiguousarray(inks), colorspace="CMYK")
    assert decode_image(value, read_image_info(value, header(), LIMITS)).shape == (48, 64, 3)


def test_a_frame_made_for_tests_is_one_a_camera_would_make() -> None:
    message = make_frame("gate", seq=7)
    frame = decode_frame_header(_record(message))
    assert (frame.camera_id, frame.seq, frame.source) == ("gate", 7, "/cameras/gate")
    assert read_image_info(message.value, frame, LIMITS) == ImageInfo("jpeg", 320, 240)


@pytest.mark.parametrize("name", list(make_bad_frames()))
def test_each_bad_frame_made_for_tests_is_refused_as_its_name_says(name: str) -> None:
    message = make_bad_frames()[name]
    with pytest.raises(getattr(errors, name)):
        _read(message)


def _read(message: Message) -> None:
    info = read_image_info(message.value, decode_frame_header(_record(message)), LIMITS)
    decode_image(message.value or b"", info)


def _record(message: Message) -> Record:
    return Record(message.topic, 0, 0, message.key, message.value, message.headers)
