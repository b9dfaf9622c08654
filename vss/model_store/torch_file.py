"""What a PyTorch file is, and whether it carries code; found without PyTorch and without loading it.

A file of `torch.save` is a zip with a `data.pkl` that may name any function of any installed module, which unpickling
would call. Its opcodes can be read without running them: what they name must be what state dicts are made of. The older
format is the same opcodes in a row, without the zip. TorchScript brings a program in `code/`, run by PyTorch's own
interpreter, and is taken only under the suffix that promises one. `torch.export` holds files of `torch.save` in a zip.
"""

from __future__ import annotations

import io
import pickletools  # reads opcodes; it runs none
import re
import struct
import zipfile
import zlib
from collections.abc import Iterator
from pathlib import Path, PurePosixPath
from typing import IO, Final, cast

from vss.errors import ModelCorrupt, ModelError, ModelUnsafe, ModelUnsupported

STATE_DICT_FILE: Final = "model.pth"
SCRIPT_FILE: Final = "model.pt"
EXPORT_FILE: Final = "model.pt2"

ZIP_START: Final = b"PK\x03\x04"
_MAGIC_NUMBER: Final = 0x1950A86A20F9469CFC6C
"""What `torch.save` writes first in its older format."""
_LEGACY_PICKLES: Final = 5
"""Magic number, protocol, system, the object, the keys of its storages; their bytes follow."""
_MAX_PICKLE_BYTES: Final = 64 << 20
_MAX_UNPACKED_FACTOR: Final = 8
"""Weights do not shrink when packed; what does is a bomb, or text."""

_GLOBALS: Final = re.compile(
    r"collections (OrderedDict|defaultdict|Counter)"
    r"|torch\._utils _rebuild_(tensor|tensor_v2|tensor_v3|parameter|parameter_with_state|qtensor|sparse_tensor)"
    r"|torch\._tensor _rebuild_from_type_v2"
    r"|torch\.nn\.parameter Parameter"
    r"|torch (\w*Storage|Tensor|Size|device|[a-z]+\d+(_\w+)?|float|double|half|int|long|short|bool|per_\w+_affine\w*)"
    r"|torch\.storage (UntypedStorage|TypedStorage)"
    r"|torch\.serialization _get_layout"
)
_CODE_OPCODES: Final = frozenset({"INST", "OBJ", "NEWOBJ_EX", "STACK_GLOBAL", "EXT1", "EXT2", "EXT4", "PERSID"})
"""Name a function in a way that `torch.save` never does, nor `torch.load` with `weights_only=True` takes."""
_PROGRAMS: Final = (".so", ".o", ".cpp", ".cu", ".cubin", ".dll", ".dylib", ".py")
_BROKEN_ZIP: Final = (zipfile.BadZipFile, zlib.error, RuntimeError, NotImplementedError, EOFError, OSError, ValueError)


def check_torch_file(path: Path) -> str:
    """What kind of file it is, by its content: the name that it has in a store.

    Raises:
        ModelUnsafe: It carries code.
        ModelCorrupt: It is cut, or no file of PyTorch.
        ModelUnsupported: It is an archive of something else.
    """
    try:
        with path.open("rb") as file:
            if file.read(len(ZIP_START)) == ZIP_START:
                return _check_zip(file, path, path.stat().st_size, depth=0)
            file.seek(0)
            return _check_legacy(file, path)
    except OSError as error:
        raise ModelCorrupt(f"{path} cannot be read: {error.strerror}", fix="check the file's permissions") from error


def _check_zip(file: IO[bytes], path: Path, size_bytes: int, *, depth: int) -> str:
    try:
        with zipfile.ZipFile(file) as archive:
            entries = archive.infolist()
            _check_entries(entries, path, size_bytes)
            names = [PurePosixPath(entry.filename) for entry in entries]
            if any("code" in name.parts[:-1] or name.name == "constants.pkl" for name in names):
                return _script(path, depth)
            exported = any(
                name.name == "serialized_exported_program.json" or name.name == "archive_format" for name in names
            )
            if exported and depth == 0:
                _check_export(archive, path, size_bytes)
                return EXPORT_FILE
            pickles = [entry for entry in entries if entry.filename.endswith(".pkl")]
            if not any(name.name == "data.pkl" for name in names):
                raise ModelUnsupported(f"{path} is an archive, and none that PyTorch makes", fix="unpack it first")
            for entry in pickles:
                with archive.open(entry) as content:
                    _check_pickle(content, path)
            return STATE_DICT_FILE
    except ModelError:
        raise
    except _BROKEN_ZIP as error:
        raise ModelCorrupt(f"{path} is cut or damaged: {error}", fix="copy or save the file again") from error


def _check_entries(entries: list[zipfile.ZipInfo], path: Path, size_bytes: int) -> None:
    names = [entry.filename for entry in entries]
    # Of two entries of one name each reader takes another one: what was checked would not be what is loaded.
    if len(set(names)) != len(names):
        raise ModelUnsafe(f"{path} holds two entries of one name", fix="save it again with torch.save")
    for name in names:
        if name.startswith("/") or "\\" in name or ".." in PurePosixPath(name).parts:
            raise ModelUnsafe(f"{path} holds an entry that leads out of it: {name!r}", fix="save it again")
    if sum(entry.file_size for entry in entries) > _MAX_UNPACKED_FACTOR * size_bytes + _MAX_PICKLE_BYTES:
        raise ModelUnsafe(f"{path} would unpack to many times its size", fix="save it again with torch.save")


def _script(path: Path, depth: int) -> str:
    if depth > 0 or path.suffix.lower() != ".pt":
        raise ModelUnsafe(
            f"{path} carries code (TorchScript), which a state dict does not",
            fix="name it .pt if it is TorchScript that you trust, or save only the weights: "
            "torch.save(model.state_dict(), FILE)",
        )
    return SCRIPT_FILE


def _check_export(archive: zipfile.ZipFile, path: Path, size_bytes: int) -> None:
    for entry in archive.infolist():
        name = PurePosixPath(entry.filename)
        if name.suffix in _PROGRAMS or name.name.startswith("custom_obj"):
            raise ModelUnsafe(f"{path} carries a compiled program: {name}", fix="save it with torch.export.save alone")
        if name.suffix == ".pkl":
            with archive.open(entry) as content:
                _check_pickle(content, path)
        if name.suffix == ".pt" and entry.file_size:
            if entry.file_size > _MAX_UNPACKED_FACTOR * size_bytes:
                raise ModelUnsafe(f"{path} would unpack to many times its size", fix="save it again")
            content_of = io.BytesIO(archive.read(entry))
            if content_of.read(len(ZIP_START)) == ZIP_START:
                _check_zip(content_of, path, entry.file_size, depth=1)
            else:
                content_of.seek(0)
                _check_legacy(content_of, path)


def _check_legacy(file: IO[bytes], path: Path) -> str:
    first = list(_checked_opcodes(file, path))
    # A pickle that names nothing is data all the same, but nothing that `torch.load` reads.
    if [arg for name, arg in first if name.startswith("LONG")][:1] != [_MAGIC_NUMBER]:
        raise ModelCorrupt(f"{path} is no file of PyTorch", fix="save it with torch.save(model.state_dict(), FILE)")
    for _ in range(_LEGACY_PICKLES - 1):
        _check_pickle(file, path)
    return STATE_DICT_FILE


def _check_pickle(content: IO[bytes], path: Path) -> None:
    for _ in _checked_opcodes(content, path):
        pass


def _checked_opcodes(content: IO[bytes], path: Path) -> Iterator[tuple[str, object]]:
    """Every opcode with its argument, up to the one that ends the pickle."""
    try:
        for opcode, argument, _ in pickletools.genops(cast("IO[bytes]", _Bounded(content))):
            if opcode.name in _CODE_OPCODES or (opcode.name == "GLOBAL" and not _GLOBALS.fullmatch(str(argument))):
                raise _unsafe(path, str(argument or opcode.name).replace(" ", "."))
            yield opcode.name, argument
    except ModelError:
        raise
    except (ValueError, IndexError, OverflowError, struct.error, _TooLong) as error:
        raise ModelCorrupt(f"{path} is no whole file of PyTorch: {error}", fix="copy or save the file again") from error


def _unsafe(path: Path, named: str) -> ModelUnsafe:
    fix = "save only the weights: torch.save(model.state_dict(), FILE), or export it to ONNX"
    if named.startswith(("ultralytics.", "models.yolo")):
        fix = f"export it first, for example `yolo export model={path} format=onnx`"
    return ModelUnsafe(f"{path} carries code: loading it would call {named}", fix=fix)


class _TooLong(Exception):
    """A pickle goes on beyond what that of a state dict ever needs."""


class _Bounded:
    """A stream of which only so much is read, for a length in a pickle may say anything."""

    def __init__(self, content: IO[bytes]) -> None:
        self._content = content
        self._left_bytes = _MAX_PICKLE_BYTES

    def read(self, size: int) -> bytes:
        if size > self._left_bytes:
            raise _TooLong(f"its pickle is longer than {_MAX_PICKLE_BYTES >> 20} MiB")
        return self._taken(self._content.read(size))

    def readline(self) -> bytes:
        return self._taken(self._content.readline(self._left_bytes + 1))

    def tell(self) -> int:
        return _MAX_PICKLE_BYTES - self._left_bytes

    def _taken(self, got: bytes) -> bytes:
        self._left_bytes -= len(got)
        if self._left_bytes < 0:
            raise _TooLong(f"its pickle is longer than {_MAX_PICKLE_BYTES >> 20} MiB")
        return got
