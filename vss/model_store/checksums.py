"""SHA-256 of model files, and the `SHA256SUMS` beside them, which `sha256sum --check` reads too."""

from __future__ import annotations

import hashlib
import re
from pathlib import Path

from vss.errors import ModelCorrupt

SUMS_FILE = "SHA256SUMS"
_LINE = re.compile(r"([0-9a-f]{64}) [ *]([^/\0]+)")


def sha256_of(path: Path) -> str:
    """SHA-256 of a file's content, hexadecimal."""
    with path.open("rb") as content:
        return hashlib.file_digest(content, "sha256").hexdigest()


def write_sums(folder: Path, names: tuple[str, ...]) -> None:
    """Writes `SHA256SUMS` for these files of the folder."""
    lines = [f"{sha256_of(folder / name)}  {name}\n" for name in names]
    (folder / SUMS_FILE).write_text("".join(lines), encoding="utf-8")


def read_sums(folder: Path) -> dict[str, str]:
    """SHA-256 by file name.

    Raises:
        ModelCorrupt: There is no `SHA256SUMS`, or a line of it is none.
    """
    path = folder / SUMS_FILE
    try:
        lines = path.read_text(encoding="utf-8").splitlines()
    except (OSError, UnicodeDecodeError) as error:
        raise ModelCorrupt(f"{path} cannot be read", fix="add the model again as a new version") from error
    matches = [_LINE.fullmatch(line) for line in lines]
    sums = {match[2]: match[1] for match in matches if match is not None}
    if None in matches or not sums:
        raise ModelCorrupt(f"{path} is no list of checksums", fix="add the model again as a new version")
    return sums


def verify_file(path: Path) -> None:
    """Compares a file with the `SHA256SUMS` beside it.

    Raises:
        ModelCorrupt: They differ, or the file is not listed.
    """
    expected = read_sums(path.parent).get(path.name)
    if expected is None:
        raise ModelCorrupt(f"{path} is not in {SUMS_FILE}", fix="add the model again as a new version")
    try:
        actual = sha256_of(path)
    except OSError as error:
        raise ModelCorrupt(f"{path} cannot be read: {error.strerror}", fix="check the file's permissions") from error
    if actual != expected:
        raise ModelCorrupt(
            f"{path} is not the file that was stored (SHA-256 {actual[:12]}…, stored {expected[:12]}…)",
            fix="versions never change: add the model again as a new version, or restore the file",
        )
