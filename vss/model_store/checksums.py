"""SHA-256 of model files, and the `SHA256SUMS` beside them, which `sha256sum --check` reads too."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO, Final

from vss.errors import ModelCorrupt
from vss.model_store.layout import MODEL_FILES, is_valid_extra

SUMS_FILE: Final = "SHA256SUMS"
MAX_SUMS_BYTES: Final = 1 << 16
_LINE = re.compile(r"([0-9a-f]{64}) [ *]([^/\0]+)")
_CHUNK_BYTES: Final = 4 << 20
_ADD_AGAIN: Final = "add the model again as a new version"


def sha256_of(path: Path) -> str:
    """SHA-256 of a file's content, hexadecimal."""
    with path.open("rb") as content:
        return hashlib.file_digest(content, "sha256").hexdigest()


def sha256_of_stream(content: BinaryIO, advance: Callable[[int], None]) -> str:
    """SHA-256 of what is left of a stream, hexadecimal; `advance` is told how many bytes came."""
    digest = hashlib.sha256()
    while chunk := content.read(_CHUNK_BYTES):
        digest.update(chunk)
        advance(len(chunk))
    return digest.hexdigest()


@dataclass(frozen=True, slots=True)
class Sums:
    """What a `SHA256SUMS` says.

    Attributes:
        file_name: Of the model file.
        sha256: Of it.
        extras: SHA-256 of what else lies beside it (see `is_valid_extra`), by name.
    """

    file_name: str
    sha256: str
    extras: Mapping[str, str]


def sums_text(folder: Path) -> str:
    """What `SHA256SUMS` says of the files of a folder."""
    return "".join(f"{sha256_of(path)}  {path.name}\n" for path in sorted(folder.iterdir()) if path.name != SUMS_FILE)


def parse_sums(content: bytes, where: str) -> Sums:
    """The model file that a `SHA256SUMS` names, what else it names, and their SHA-256.

    Raises:
        ModelCorrupt: It is no list of checksums, or names not one model file.
    """
    try:
        lines = content.decode().splitlines()
    except UnicodeDecodeError as error:
        raise ModelCorrupt(f"{where} is no list of checksums", fix=_ADD_AGAIN) from error
    matches = [_LINE.fullmatch(line) for line in lines]
    sums = {match[2]: match[1] for match in matches if match is not None}
    if None in matches or not sums:
        raise ModelCorrupt(f"{where} is no list of checksums", fix=_ADD_AGAIN)
    models = sorted(sums.keys() & set(MODEL_FILES))
    if len(models) != 1:
        raise ModelCorrupt(f"{where} names {len(models)} model files instead of one", fix=_ADD_AGAIN)
    extras = {name: sha256 for name, sha256 in sums.items() if is_valid_extra(name)}
    return Sums(models[0], sums[models[0]], extras)


def require_equal(where: str, actual: str, stored: str) -> None:
    """Compares what a file is with what was stored.

    Raises:
        ModelCorrupt: They differ.
    """
    if actual != stored:
        raise ModelCorrupt(
            f"{where} is not the file that was stored (SHA-256 {actual[:12]}…, stored {stored[:12]}…)",
            fix="versions never change: add the model again as a new version, or restore the file",
        )
