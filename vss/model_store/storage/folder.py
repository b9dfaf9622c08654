"""A model store in a folder of this machine."""

from __future__ import annotations

import contextlib
import fcntl
import hashlib
import os
import shutil
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Final

from vss.errors import ConfigError, ModelCorrupt, ModelNotFound, StoreUnavailable
from vss.model_store.checksums import (
    MAX_SUMS_BYTES,
    SUMS_FILE,
    Sums,
    parse_sums,
    require_equal,
    sha256_of,
    sha256_of_stream,
    sums_text,
)
from vss.model_store.layout import REMOVED_FILE, inside, is_valid_name, version_number
from vss.model_store.storage.faults import reaching
from vss.model_store.storage.limits import MAX_BESIDE_BYTES, refuse_if_too_large
from vss.model_store.storage.place import Progress, StoredVersion, no_progress

_STAGING: Final = ".adding-"


class FolderPlace:
    """A folder. What becomes a version is renamed to it, so that it is there whole or not at all.

    Args:
        folder: Made by the first `adding`.
        max_file_bytes: What is larger is not handed out.
    """

    def __init__(self, folder: Path, *, max_file_bytes: int) -> None:
        self.folder = folder
        self.shown = str(folder)
        self._max_file_bytes = max_file_bytes
        self._was_there = False

    def names(self) -> list[str]:
        """Names that have at least one version, sorted; a link that leads out of the store is no model."""
        with reaching(self.shown):
            names = [path.name for path in self._entries() if is_valid_name(path.name)]
        return sorted(name for name in names if self._has_versions(name))

    def numbers(self, name: str) -> list[int]:
        """Versions of a model, ascending. What is not named as a version is none."""
        return [number for number in self._all_numbers(name) if not self._removed(name, number)]

    def versions(self, name: str) -> list[StoredVersion]:
        """Versions of a model, ascending, described."""
        return [self._describe(name, number) for number in self.numbers(name)]

    def fetch(self, name: str, number: int, progress: Progress = no_progress) -> Path:
        """The model file, checked against its checksum."""
        path, stored = self._file(name, number)
        with self._readable(path):
            refuse_if_too_large(str(path), path.stat().st_size, self._max_file_bytes)
            require_equal(str(path), sha256_of(path), stored)
        return path

    def digest(self, name: str, number: int, progress: Progress = no_progress) -> tuple[str, str]:
        """SHA-256 of the model file, as it was stored and as it is."""
        path, stored = self._file(name, number)
        done = 0

        def advance(size_bytes: int) -> None:
            nonlocal done
            done += size_bytes
            progress(done, total)

        with self._readable(path), path.open("rb") as content:
            total = os.fstat(content.fileno()).st_size
            return stored, sha256_of_stream(content, advance)

    def extras(self, name: str, number: int) -> list[str]:
        """Names of what was stored with a version, sorted."""
        return sorted(self._sums(name, number).extras)

    def read_extra(self, name: str, number: int, file_name: str) -> bytes | None:
        """What was stored with a version, checked against its checksum; None for nothing of that name."""
        stored = self._sums(name, number).extras.get(file_name)
        if stored is None:
            return None
        path = inside(self.folder, name, str(number), file_name)
        with self._readable(path), path.open("rb") as file:
            content = file.read(MAX_BESIDE_BYTES + 1)
        refuse_if_too_large(str(path), len(content), MAX_BESIDE_BYTES)
        require_equal(str(path), hashlib.sha256(content).hexdigest(), stored)
        return content

    def beside(self, name: str, file_name: str) -> bytes | None:
        """What lies beside the versions of a model; None for nothing."""
        path = self.beside_file(name, file_name)
        if path is None:
            return None
        with reaching(self.shown), path.open("rb") as file:
            content = file.read(MAX_BESIDE_BYTES + 1)
        refuse_if_too_large(str(path), len(content), MAX_BESIDE_BYTES)
        return content

    def beside_file(self, name: str, file_name: str) -> Path | None:
        """The same, as a file."""
        path = inside(self.folder, name, file_name)
        return path if path.is_file() else None

    def where(self, name: str, file_name: str) -> str:
        """How to speak of what lies there."""
        return str(self.folder / name / file_name)

    @contextlib.contextmanager
    def adding(self, name: str) -> Iterator[_FolderAdding]:
        """A new version, under the store's lock."""
        with self._writing():
            self.folder.mkdir(parents=True, exist_ok=True)
            folder = inside(self.folder, name)
            with self._locked():
                number = max(self._all_numbers(name), default=0) + 1
                # On the store's own disk, so that the rename is one; names of models never start with a dot.
                staged = Path(tempfile.mkdtemp(prefix=_STAGING, dir=self.folder))
                try:
                    staged.chmod(0o755)  # mkdtemp's is private, and workers may run as another user
                    yield _FolderAdding(number, staged, folder)
                finally:
                    shutil.rmtree(staged, ignore_errors=True)

    def remove(self, name: str, number: int) -> None:
        """Takes a version away for ever: first the mark, from which on there is no such version."""
        with self._writing(), self._locked():
            folder = inside(self.folder, name, str(number))
            if folder.is_symlink():
                folder.unlink()  # and not what it leads to
            folder.mkdir(exist_ok=True)
            (folder / REMOVED_FILE).touch()
            _clear(folder, keep=lambda path: path.name == REMOVED_FILE)
            if not self.numbers(name):
                _clear(folder.parent, keep=lambda path: path.is_dir() and not path.is_symlink())

    def _entries(self) -> list[Path]:
        """What lies in the store.

        Raises:
            ConfigError: It is a file.
            StoreUnavailable: There was something, and now there is nothing at all: a disk that is not mounted, a folder
                that was moved. An emptied store keeps what `remove` leaves of its versions.
        """
        if self.folder.exists() and not self.folder.is_dir():
            raise ConfigError(
                f"the model store {self.shown} is a file, not a folder",
                fix="name a folder, or an address, with --store or model.store",
            )
        entries = list(self.folder.iterdir()) if self.folder.is_dir() else []
        if self._was_there and not entries:
            raise StoreUnavailable(
                f"the model store {self.shown} is gone: the folder is missing or empty", fix="mount it, or move it back"
            )
        self._was_there = bool(entries)
        return entries

    def _all_numbers(self, name: str) -> list[int]:
        folder = inside(self.folder, name)
        with reaching(self.shown):
            if not folder.is_dir():
                self._entries()
                return []
            self._was_there = True
            found = ((version_number(path.name), path) for path in folder.iterdir())
            return sorted(number for number, path in found if number is not None and path.is_dir())

    def _removed(self, name: str, number: int) -> bool:
        return (self.folder / name / str(number) / REMOVED_FILE).exists()

    def _has_versions(self, name: str) -> bool:
        try:
            return bool(self.numbers(name))
        except ModelNotFound:
            return False

    def _describe(self, name: str, number: int) -> StoredVersion:
        path, stored = self._file(name, number)
        with self._readable(path):
            status = path.stat()
        extras = self._sums(name, number).extras
        return StoredVersion(number, status.st_size, status.st_mtime_ns, stored, path.name, extras)

    def _file(self, name: str, number: int) -> tuple[Path, str]:
        """The model file of a version, and the SHA-256 it was stored with."""
        sums = self._sums(name, number)
        path = inside(self.folder, name, str(number), sums.file_name)
        if not path.is_file():
            raise ModelCorrupt(f"version {number} of {name} has no {sums.file_name}", fix="add the model again")
        return path, sums.sha256

    def _sums(self, name: str, number: int) -> Sums:
        path = inside(self.folder, name, str(number), SUMS_FILE)
        with self._readable(path), path.open("rb") as file:
            content = file.read(MAX_SUMS_BYTES)
        return parse_sums(content, str(path))

    @contextlib.contextmanager
    def _readable(self, path: Path) -> Iterator[None]:
        try:
            yield
        except (FileNotFoundError, PermissionError, IsADirectoryError) as error:
            with reaching(self.shown):
                self._entries()  # all of it may have gone in the meantime
            raise ModelCorrupt(
                f"{path} cannot be read: {error.strerror}", fix="check its permissions, or add the model again"
            ) from error
        except OSError:
            with reaching(self.shown):
                raise

    @contextlib.contextmanager
    def _locked(self) -> Iterator[None]:
        with (self.folder / ".lock").open("a") as lock:
            fcntl.flock(lock, fcntl.LOCK_EX)  # let go with the file, or with the process
            for left in self.folder.glob(f"{_STAGING}*"):
                shutil.rmtree(left, ignore_errors=True)
            yield

    @contextlib.contextmanager
    def _writing(self) -> Iterator[None]:
        try:
            yield
        except OSError as error:
            raise ConfigError(
                f"cannot write to the model store {self.shown}: {error.strerror or error}",
                fix="name a store on a disk with space, which you may write to, with --store or model.store",
            ) from error


class _FolderAdding:
    def __init__(self, number: int, staged: Path, folder: Path) -> None:
        self.number = number
        self.folder = staged
        self._target = folder

    def write_beside(self, file_name: str, content: bytes) -> bool:
        self._target.mkdir(exist_ok=True)
        path = self._target / file_name
        if path.exists():
            return False
        whole = path.with_name(f".{file_name}.new")
        whole.write_bytes(content)
        _sync(whole)
        whole.replace(path)
        return True

    def publish(self, file_name: str, progress: Progress = no_progress) -> None:
        files = list(self.folder.iterdir())
        (self.folder / SUMS_FILE).write_text(sums_text(self.folder), encoding="utf-8")
        for path in files:
            path.chmod(0o444)
        for path in (*files, self.folder / SUMS_FILE, self.folder):
            _sync(path)
        self._target.mkdir(exist_ok=True)
        self.folder.rename(self._target / str(self.number))
        _sync(self._target)


def _clear(folder: Path, *, keep: Callable[[Path], bool]) -> None:
    for path in folder.iterdir():
        if keep(path):
            continue
        if path.is_dir() and not path.is_symlink():
            shutil.rmtree(path)
        else:
            path.unlink()


def _sync(path: Path) -> None:
    handle = os.open(path, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)
