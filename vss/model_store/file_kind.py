"""What a file given as a model is: the name it gets in a store, which says what runs it."""

from __future__ import annotations

from pathlib import Path
from typing import Final

from vss.errors import ModelCorrupt, ModelUnsupported
from vss.model_store.layout import TORCH_SUFFIXES
from vss.model_store.torch_file import ZIP_START, check_torch_file

ONNX_FILE: Final = "model.onnx"
_ELSEWHERE: Final = (".weights", ".engine", ".plan", ".tflite", ".h5", ".keras", ".pb", ".safetensors", ".ckpt", ".pkl")
"""What other frameworks and runtimes call theirs."""
# Where in a file, and what stands there.
_ARCHIVES: Final = (
    (0, ZIP_START),
    (0, b"PK\x05\x06"),
    (0, b"\x1f\x8b"),
    (0, b"BZh"),
    (0, b"\xfd7zXZ\x00"),
    (0, b"7z\xbc\xaf\x27\x1c"),
    (0, b"\x28\xb5\x2f\xfd"),
    (0, b"Rar!"),
    (257, b"ustar"),
)


def stored_name(file: Path) -> str:
    """The name of a model file in a store: `model.onnx`, `model.pth`, `model.pt` or `model.pt2`.

    Raises:
        ModelUnsupported: It is an archive, or of a framework that nothing here runs.
        ModelUnsafe: It carries code.
        ModelCorrupt: It cannot be read, or has a suffix of PyTorch and is no file of it.
    """
    suffix = file.suffix.lower()
    if suffix in _ELSEWHERE:
        raise ModelUnsupported(f"{file} is no ONNX file and none of PyTorch", fix="export it to ONNX first")
    start = _start_of(file)
    # PyTorch's own files are zips as well.
    torch = suffix in TORCH_SUFFIXES
    if any(start[at:].startswith(mark) and not (torch and mark == ZIP_START) for at, mark in _ARCHIVES):
        raise ModelUnsupported(f"{file} is an archive", fix="unpack it, and give the model file that is in it")
    return check_torch_file(file) if torch else ONNX_FILE


def _start_of(file: Path) -> bytes:
    try:
        with file.open("rb") as content:
            return content.read(512)
    except OSError as error:
        raise ModelCorrupt(f"{file} cannot be read: {error.strerror}", fix="check the file's permissions") from error
