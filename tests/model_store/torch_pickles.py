"""Files as `torch.save` writes them, put together byte by byte: no test needs PyTorch, or a pickler, to have one."""

from __future__ import annotations

import struct
import zipfile
from pathlib import Path

PROTO, MARK, TUPLE, TUPLE1, REDUCE, STOP = b"\x80\x02", b"(", b"t", b"\x85", b"R", b"."
EMPTY_DICT, SETITEMS, BINPERSID, EMPTY_TUPLE, FALSE = b"}", b"u", b"Q", b")", b"\x89"
MAGIC = PROTO + b"\x8a\x0al\xfc\x9cF\xf9 j\xa8P\x19" + STOP
"""What the older format begins with: 0x1950a86a20f9469cfc6c."""


def text(value: str) -> bytes:
    raw = value.encode()
    return b"X" + struct.pack("<I", len(raw)) + raw


def number(value: int) -> bytes:
    return b"K" + bytes([value])


def named(module: str, name: str) -> bytes:
    return b"c" + f"{module}\n{name}\n".encode()


def calls(module: str, name: str, argument: str) -> bytes:
    """A pickle that calls a function with one text."""
    return PROTO + named(module, name) + text(argument) + TUPLE1 + REDUCE + STOP


def state_dict(*extra: bytes) -> bytes:
    """The pickle of `{"weight": tensor of one float}`, with more keys and values behind it."""
    storage = text("storage") + named("torch", "FloatStorage") + text("0") + text("cpu") + number(1)
    hooks = named("collections", "OrderedDict") + EMPTY_TUPLE + REDUCE
    tensor = (
        named("torch._utils", "_rebuild_tensor_v2") + MARK + MARK + storage + TUPLE + BINPERSID + number(0)
        + number(1) + TUPLE1 + number(1) + TUPLE1 + FALSE + hooks + TUPLE + REDUCE
    )  # fmt: skip
    return PROTO + EMPTY_DICT + MARK + text("weight") + tensor + b"".join(extra) + SETITEMS + STOP


def write_zip(path: Path, pickled: bytes, **more: bytes) -> Path:
    """A file of `torch.save`; `more` has `data_0=` for further entries, `/` written as `__`."""
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("archive/data.pkl", pickled)
        archive.writestr("archive/byteorder", b"little")
        archive.writestr("archive/data/0", b"\0\0\x80?")
        archive.writestr("archive/version", b"3\n")
        for name, content in more.items():
            archive.writestr(name.replace("__", "/"), content)
    return path


def write_legacy(path: Path, pickled: bytes, *, first: bytes = MAGIC) -> Path:
    """A file of `torch.save` before its files were zips."""
    plain = PROTO + EMPTY_DICT + STOP
    path.write_bytes(first + PROTO + b"M\xe9\x03" + STOP + plain + pickled + plain + b"\0\0\x80?")
    return path
