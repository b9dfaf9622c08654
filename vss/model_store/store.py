"""The model store: immutable, numbered versions of named models in a folder."""

from __future__ import annotations

import contextlib
import fcntl
import os
import shutil
import tempfile
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

from vss.errors import ConfigError, ModelCorrupt, ModelError, ModelNotFound, ModelUnsupported
from vss.model_store.checksums import read_sums, write_sums
from vss.model_store.layout import (
    MANIFEST_FILE,
    MODEL_FILE,
    inside,
    is_file_spec,
    is_valid_name,
    model_names,
    valid_name_from,
    versions_of,
)
from vss.model_store.manifest import Manifest
from vss.model_store.resolve import ModelRef, resolve_stored, stored_manifest

_STAGING_PREFIX = ".adding-"
_MANIFEST_NOTE = "# Holds for every version of this model; docs/models.md lists the keys.\n"


@dataclass(frozen=True, slots=True)
class StoredVersion:
    """One version as it lies in the store.

    Attributes:
        version: Its number.
        size_bytes: Of the model file.
        added_ns: When it was added, nanoseconds since the epoch.
        sha256: Of the model file, as stored.
    """

    version: int
    size_bytes: int
    added_ns: int
    sha256: str


class ModelStore:
    """A folder of models. Any number of processes may use one at once.

    Args:
        folder: Made by the first `add`.
    """

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    def names(self) -> list[str]:
        """Names of all models, sorted."""
        return model_names(self.folder)

    def versions(self, name: str) -> list[StoredVersion]:
        """Versions of a model, ascending; the last is `latest`.

        Raises:
            ModelNotFound: The model lies outside the store.
            ModelCorrupt: A version has no checksums, or no file.
        """
        return [self._describe(name, number) for number in versions_of(self.folder, name)]

    def find(self, name: str, version: str = "latest") -> ModelRef:
        """A version whose file is the one that was stored. As `resolve_stored`."""
        return resolve_stored(self.folder, name, version)

    def add(self, file: Path, name: str, manifest: Manifest, *, check: Callable[[ModelRef], object]) -> ModelRef:
        """Takes a copy of a model file as the next version of a model.

        1. Take the store's lock, and clear away what interrupted adds left.
        2. Copy the file into a folder of its own and write its checksum.
        3. Check the copy: what was checked is what will be served.
        4. Write the manifest, if the model has none yet.
        5. Rename the folder to the version's number: from here on the version exists, whole.

        Args:
            file: An ONNX file with its weights inside.
            name: Of the model; new or known.
            manifest: What is known about the model. A model that is in the store already keeps its own, and every key
                set here must agree with it.
            check: Called with the copy; raises `ModelError` when it cannot be served.

        Raises:
            ConfigError: The name is none, the manifest disagrees with the stored one, or the store cannot be written.
            ModelNotFound: There is no such file, it may not be read, or the model lies outside the store.
            ModelUnsupported: The file is of a kind that has to be exported first.
            ModelError: The check failed.
        """
        _check_name(name)
        _check_file(file)
        try:
            with self._locked():  # 1
                number = max(versions_of(self.folder, name), default=0) + 1
                kept = self._agreed_manifest(name, manifest)
                with self._staging() as staged:
                    self._stage(file, staged)  # 2
                    ref = ModelRef(name, str(number), staged / MODEL_FILE, kept or manifest)
                    with _named_after(file, ref.file):
                        check(ref)  # 3
                    folder = inside(self.folder, name)
                    folder.mkdir(exist_ok=True)
                    if kept is None:
                        _write_manifest(inside(self.folder, name, MANIFEST_FILE), manifest)  # 4
                    staged.rename(folder / str(number))  # 5
                    _sync(folder)
        except OSError as error:
            raise ConfigError(
                f"cannot add to the model store {self.folder}: {error.strerror or error}",
                fix="name a store on a disk with space, which you may write to, with --store or model.store",
            ) from error
        return self.find(name, str(number))

    def _describe(self, name: str, number: int) -> StoredVersion:
        file = inside(self.folder, name, str(number), MODEL_FILE)
        sums = read_sums(file.parent)
        try:
            status = file.stat()
        except OSError as error:
            raise ModelCorrupt(f"{file} cannot be read: {error.strerror}", fix=f"add {name} again") from error
        return StoredVersion(number, status.st_size, status.st_mtime_ns, sums.get(MODEL_FILE, ""))

    def _agreed_manifest(self, name: str, wanted: Manifest) -> Manifest | None:
        """The manifest that stays as it is; None when there is none yet."""
        path = inside(self.folder, name, MANIFEST_FILE)
        if not path.is_file() and not versions_of(self.folder, name):
            return None
        kept = stored_manifest(self.folder, name)
        differing = _differing(wanted.model_dump(exclude_unset=True), kept.model_dump())
        if differing:
            raise ConfigError(
                f"model {name} is in the store with other {', '.join(differing)}",
                fix=f"edit {path}, which holds for all its versions, or choose another --name",
            )
        return kept

    @contextlib.contextmanager
    def _locked(self) -> Iterator[None]:
        self.folder.mkdir(parents=True, exist_ok=True)
        with (self.folder / ".lock").open("a") as lock:
            fcntl.flock(lock, fcntl.LOCK_EX)  # let go with the file, or with the process
            for left in self.folder.glob(f"{_STAGING_PREFIX}*"):
                shutil.rmtree(left, ignore_errors=True)
            yield

    @contextlib.contextmanager
    def _staging(self) -> Iterator[Path]:
        # On the store's own disk, so that the rename is one; names of models never start with a dot.
        folder = Path(tempfile.mkdtemp(prefix=_STAGING_PREFIX, dir=self.folder))
        try:
            folder.chmod(0o755)  # mkdtemp's is private, and workers may run as another user
            yield folder
        finally:
            shutil.rmtree(folder, ignore_errors=True)

    def _stage(self, file: Path, staged: Path) -> None:
        copy = staged / MODEL_FILE
        shutil.copyfile(file, copy)
        write_sums(staged, (MODEL_FILE,))
        copy.chmod(0o444)
        for path in (copy, staged):
            _sync(path)


def _check_name(name: str) -> None:
    if not is_valid_name(name) or is_file_spec(name):
        raise ConfigError(
            f"{name!r} is no model name: a-z, 0-9, '.', '_' and '-', first a letter or digit, not ending in .onnx",
            fix=f"for example --name {valid_name_from(name.removesuffix('.onnx'))}",
        )


def _check_file(file: Path) -> None:
    if not file.is_file():
        raise ModelNotFound(f"no such model file: {file}", fix="give the path of an ONNX file")
    if not os.access(file, os.R_OK):
        raise ModelNotFound(f"{file} may not be read", fix="check the file's permissions")
    if file.suffix in {".pt", ".pth", ".weights", ".engine", ".tflite"}:
        raise ModelUnsupported(
            f"{file} is no ONNX file", fix=f"export it first, for example `yolo export model={file} format=onnx`"
        )


@contextlib.contextmanager
def _named_after(file: Path, copy: Path) -> Iterator[None]:
    """Lets errors speak of the file that the user knows, not of its copy."""
    try:
        yield
    except ModelError as error:
        message = str(error).replace(str(copy), str(file)).replace(copy.name, file.name)
        # Weights beside the file (above 2 GB, or by choice of the exporter) are not copied.
        outside = "external data" in message.lower()
        fix = "export it as one file, with its weights inside" if outside else error.fix
        raise type(error)(message, fix=fix) from error


def _differing(wanted: dict[str, Any], kept: dict[str, Any], prefix: str = "") -> list[str]:
    names: list[str] = []
    for key, value in wanted.items():
        if isinstance(value, dict):
            names += _differing(value, kept[key], f"{prefix}{key}.")
        elif value != kept[key]:
            names.append(f"{prefix}{key}")
    return names


def _write_manifest(path: Path, manifest: Manifest) -> None:
    document = {"task": manifest.task, **manifest.model_dump(mode="json", exclude_unset=True)}
    whole = path.with_name(f".{path.name}.new")
    text = yaml.safe_dump(document, sort_keys=False, allow_unicode=True)
    whole.write_text(_MANIFEST_NOTE + text, encoding="utf-8")
    _sync(whole)
    whole.replace(path)


def _sync(path: Path) -> None:
    handle = os.open(path, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)
