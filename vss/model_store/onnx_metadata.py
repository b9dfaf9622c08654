"""What an exporter wrote into an ONNX file beside its graph, without loading the graph.

An ONNX file is one protobuf message, `ModelProto`; its field 14 holds `metadata_props`, pairs of key (field 1) and
value (field 2): https://github.com/onnx/onnx/blob/main/onnx/onnx.proto. All other fields are passed over unread.
"""

from __future__ import annotations

import os
from pathlib import Path
from typing import BinaryIO, Final

_METADATA: Final = 14
_VARINT, _FIXED_64, _BYTES, _FIXED_32 = 0, 1, 2, 5
_LONGEST_VARINT: Final = 10
# A model has a dozen fields and a few operator sets; what has more is no model.
_MOST_FIELDS: Final = 10_000


def read_onnx_metadata(file: Path, key: str, *, max_bytes: int) -> str | None:
    """One value of a file's metadata; None where it has none, is longer than that, or the file is no ONNX file.

    Args:
        file: To read.
        key: Of the value.
        max_bytes: That key and value may have.
    """
    try:
        with file.open("rb") as content:
            return _find(content, os.fstat(content.fileno()).st_size, key.encode(), max_bytes)
    except (OSError, EOFError, UnicodeDecodeError):
        return None


def _find(content: BinaryIO, end: int, key: bytes, max_bytes: int) -> str | None:
    for _ in range(_MOST_FIELDS):
        if content.tell() >= end:
            return None
        number, kind = divmod(_varint(content), 8)
        if kind == _BYTES:
            size = _varint(content)
            if content.tell() + size > end:
                return None
            if number == _METADATA and size <= max_bytes + len(key):
                pair = _pair(content, content.tell() + size)
                if pair.get(1) == key:
                    return pair.get(2, b"").decode()
            else:
                content.seek(size, os.SEEK_CUR)
        elif kind == _VARINT:
            _varint(content)
        elif kind in (_FIXED_64, _FIXED_32):
            content.seek(8 if kind == _FIXED_64 else 4, os.SEEK_CUR)
        else:
            return None
    return None


def _pair(content: BinaryIO, end: int) -> dict[int, bytes]:
    fields: dict[int, bytes] = {}
    while content.tell() < end:
        number, kind = divmod(_varint(content), 8)
        size = _varint(content)
        if kind != _BYTES or content.tell() + size > end:
            content.seek(end)
            break
        fields[number] = content.read(size)
    return fields


def _varint(content: BinaryIO) -> int:
    value = 0
    for place in range(_LONGEST_VARINT):
        byte = content.read(1)
        if not byte:
            raise EOFError
        value |= (byte[0] & 0x7F) << (7 * place)
        if byte[0] < 0x80:
            return value
    raise EOFError
