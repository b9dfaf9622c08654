"""The markers of a JPEG file (ITU-T T.81, annex B), read without decoding."""

from __future__ import annotations

from dataclasses import dataclass

_START = b"\xff\xd8"
_END = b"\xff\xd9"
_START_OF_FRAME = {0xC0, 0xC1, 0xC2}  # baseline, extended, progressive: what every reader knows
_HUFFMAN_TABLES = 0xC4
_START_OF_SCAN = 0xDA
_APP1 = 0xE1
_WITHOUT_LENGTH = {0x01, *range(0xD0, 0xD8)}


@dataclass(frozen=True, slots=True)
class JpegHeader:
    """What the markers before the first scan say.

    Attributes:
        width: Pixels.
        height: Pixels.
        complete: The file ends with the end marker.
        self_contained: Any reader takes it as it is: complete, Huffman tables in it (webcams leave them out), grey or
            colour, and no EXIF, whose orientation some readers apply and others do not.
    """

    width: int
    height: int
    complete: bool
    self_contained: bool


def read_jpeg_header(data: bytes) -> JpegHeader | None:
    """Reads the markers; None when the bytes are no JPEG with a frame and a scan."""
    if not data.startswith(_START):
        return None
    width = height = components = 0
    tables = exif = False
    at = 2
    while at + 4 <= len(data) and data[at] == 0xFF:
        marker = data[at + 1]
        if marker == 0xFF or marker in _WITHOUT_LENGTH:  # fill bytes may precede a marker
            at += 1 if marker == 0xFF else 2
            continue
        length = int.from_bytes(data[at + 2 : at + 4], "big")
        body = data[at + 4 : at + 2 + length]
        if marker in _START_OF_FRAME and len(body) >= 6:
            height, width, components = int.from_bytes(body[1:3], "big"), int.from_bytes(body[3:5], "big"), body[5]
        elif marker == _HUFFMAN_TABLES:
            tables = True
        elif marker == _APP1 and body.startswith(b"Exif"):
            exif = True
        elif marker == _START_OF_SCAN:
            if not width or not height:
                return None
            # Cameras pad with zeros behind the end marker.
            complete = data.rstrip(b"\x00").endswith(_END) if data[-1] == 0 else data.endswith(_END)
            plain = tables and not exif and components in (1, 3)
            return JpegHeader(width, height, complete, complete and plain)
        at += 2 + max(2, length)
    return None
