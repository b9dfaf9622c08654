"""What must be so before a file becomes a version, and how a copy of it is taken."""

from __future__ import annotations

import contextlib
import os
import shutil
from collections.abc import Iterator, Mapping
from pathlib import Path

from vss.errors import ConfigError, ModelError, ModelNotFound
from vss.model_store.layout import is_file_spec, is_valid_extra, is_valid_name, valid_name_from
from vss.model_store.manifest import Manifest
from vss.model_store.resolve import no_smoke
from vss.model_store.storage.limits import MAX_BESIDE_BYTES, MAX_EXTRAS, refuse_if_too_large


def check_name(name: str) -> None:
    """Refuses a name that no model may have.

    Raises:
        ConfigError: It is none.
    """
    if not is_valid_name(name) or is_file_spec(name):
        raise ConfigError(
            f"{name!r} is no model name: a-z, 0-9, '.', '_' and '-', first a letter or digit, no file's ending",
            fix=f"for example --name {valid_name_from(name)}",
        )


def check_file(file: Path, max_bytes: int) -> None:
    """Refuses a file that cannot be copied.

    Raises:
        ModelNotFound: There is none, or it may not be read.
        ModelTooLarge: It is larger than the settings allow.
    """
    if not file.is_file():
        raise ModelNotFound(f"no such model file: {file}", fix="give the path of a model file")
    if not os.access(file, os.R_OK):
        raise ModelNotFound(f"{file} may not be read", fix="check the file's permissions")
    refuse_if_too_large(str(file), file.stat().st_size, max_bytes)


def smoke_picture(manifest: Manifest, smoke: Path | None, file: Path) -> Path | None:
    """The picture that is stored with a model; None for none, or where the store must have it.

    Raises:
        ConfigError: The one that was given is not there.
        ModelTooLarge: It is larger than such a file may be.
    """
    if manifest.smoke.image is None:
        return None
    picture = smoke if smoke is not None else file.with_name(manifest.smoke.image)
    if not picture.is_file():
        if smoke is not None:
            raise no_smoke(str(smoke))
        return None  # a version made from another one: the store has the picture
    refuse_if_too_large(str(picture), picture.stat().st_size, MAX_BESIDE_BYTES)
    return picture


def check_extras(extras: Mapping[str, bytes]) -> None:
    """Refuses what cannot be stored with a version.

    Raises:
        ConfigError: There are too many, or one has a name that it may not have.
        ModelTooLarge: One is larger than such a file may be.
    """
    if len(extras) > MAX_EXTRAS:
        raise ConfigError(
            f"{len(extras)} files are to be stored with a version", fix=f"give {MAX_EXTRAS} of them at most"
        )
    for file_name, content in extras.items():
        if not is_valid_extra(file_name):
            raise ConfigError(
                f"{file_name!r} cannot be stored with a version: a-z, 0-9, '.', '_' and '-', first a letter or digit",
                fix="for example training.json",
            )
        refuse_if_too_large(file_name, len(content), MAX_BESIDE_BYTES)


def write_file(path: Path, content: bytes) -> None:
    """Writes a file.

    Raises:
        ConfigError: There is no room for it.
    """
    try:
        path.write_bytes(content)
    except OSError as error:
        raise ConfigError(
            f"cannot write {path}: {error.strerror or error}", fix="free some space on that disk"
        ) from error


def copy_file(file: Path, copy: Path) -> None:
    """Copies a file.

    Raises:
        ConfigError: There is no room for it.
    """
    try:
        shutil.copyfile(file, copy)
    except OSError as error:
        raise ConfigError(
            f"cannot copy {file} to {copy.parent}: {error.strerror or error}", fix="free some space on that disk"
        ) from error


@contextlib.contextmanager
def named_after(file: Path, copy: Path) -> Iterator[None]:
    """Lets errors speak of the file that the user knows, not of its copy."""
    try:
        yield
    except ModelError as error:
        message = str(error).replace(str(copy), str(file)).replace(copy.name, file.name)
        # Weights beside the file (above 2 GB, or by choice of the exporter) are not copied.
        outside = "external data" in message.lower()
        fix = "export it as one file, with its weights inside" if outside else error.fix
        raise type(error)(message, fix=fix) from error
