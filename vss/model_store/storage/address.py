"""A model store at an address that fsspec knows: `s3://bucket/models`, `gs://…`, `sftp://…`, `memory://`.

There is no rename there and no lock, so a version is made in this order:

1. Its number is claimed by an object that only one can create.
2. The model file is written.
3. `SHA256SUMS` is written: from here on the version exists, whole.

An adding that is interrupted before 3 leaves a claim and perhaps a file, which no reader sees; the next adding a day
later clears them away. A version that is removed leaves a mark, so that its number is never given again.
"""

from __future__ import annotations

import contextlib
import hashlib
import secrets
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Final

from vss.clock import Clock, SystemClock
from vss.errors import ConfigError, ModelCorrupt, ModelNotFound, StoreUnavailable, VssError
from vss.masking import mask_text
from vss.model_store.checksums import MAX_SUMS_BYTES, SUMS_FILE, parse_sums, require_equal, sha256_of_stream, sums_text
from vss.model_store.layout import REMOVED_FILE, is_valid_name, version_number
from vss.model_store.storage.download_cache import DownloadCache, Wanted
from vss.model_store.storage.faults import reaching
from vss.model_store.storage.limits import MAX_BESIDE_BYTES, refuse_if_too_large
from vss.model_store.storage.listing import (
    Files,
    changed_ns,
    create,
    files_below,
    forget_listings,
    make_folder_of,
    progress_callback,
    size_of,
)
from vss.model_store.storage.place import Progress, StoredVersion, no_progress

CLAIM_FILE: Final = "CLAIM"
_ABANDONED_NS: Final = 86_400 * 10**9
# Adders at once, each of whom may take a number before us.
_CLAIM_TRIES: Final = 100


class AddressPlace:
    """Objects below an address.

    Args:
        address: That fsspec opens; credentials come from where its backend looks for them.
        cache: Where files are kept on this machine.
        max_file_bytes: What is larger is not downloaded.
        clock: Time.
    """

    def __init__(self, address: str, *, cache: DownloadCache, max_file_bytes: int, clock: Clock | None = None) -> None:
        self.shown = mask_text(address)
        self._address = address
        self._cache = cache
        self._max_file_bytes = max_file_bytes
        self._clock = clock or SystemClock()
        self._opened: tuple[Any, str] | None = None

    def names(self) -> list[str]:
        """Names that have at least one version, sorted."""
        found: dict[str, dict[int, Files]] = {}
        for parts, info in self._find():
            if len(parts) == 3 and is_valid_name(parts[0]) and (number := version_number(parts[1])) is not None:
                found.setdefault(parts[0], {}).setdefault(number, {})[parts[2]] = info
        return sorted(name for name, folders in found.items() if any(map(_is_version, folders.values())))

    def numbers(self, name: str) -> list[int]:
        """Versions of a model, ascending."""
        return sorted(number for number, files in self._folders(name).items() if _is_version(files))

    def versions(self, name: str) -> list[StoredVersion]:
        """Versions of a model, ascending, described."""
        held = {number: files for number, files in self._folders(name).items() if _is_version(files)}
        sums = self._sums(name, held)
        return [self._describe(name, number, held[number], sums[number]) for number in sorted(sums)]

    def fetch(self, name: str, number: int, progress: Progress = no_progress) -> Path:
        """The model file, from the cache of downloads."""
        held = self._version(name, number)
        refuse_if_too_large(self._where(name, number, held.file_name), held.size_bytes, self._max_file_bytes)
        return self._cache.file(
            self._wanted(name, held),
            lambda path: self._fs.get_file(
                self._path(name, number, held.file_name), str(path), callback=progress_callback(progress)
            ),
        )

    def digest(self, name: str, number: int, progress: Progress = no_progress) -> tuple[str, str]:
        """SHA-256 of the model file, as it was stored and as it lies there; reads all of it."""
        held = self._version(name, number)
        done = 0

        def advance(size_bytes: int) -> None:
            nonlocal done
            done += size_bytes
            progress(done, held.size_bytes)

        with reaching(self.shown), self._fs.open(self._path(name, number, held.file_name), "rb") as content:
            return held.sha256, sha256_of_stream(content, advance)

    def extras(self, name: str, number: int) -> list[str]:
        """Names of what was stored with a version, sorted."""
        return sorted(self._version(name, number).extras)

    def read_extra(self, name: str, number: int, file_name: str) -> bytes | None:
        """What was stored with a version, checked against its checksum; None for nothing of that name."""
        stored = self._version(name, number).extras.get(file_name)
        if stored is None:
            return None
        content = self._read(self._path(name, number, file_name), MAX_BESIDE_BYTES)
        where = self._where(name, number, file_name)
        if content is None:
            raise ModelCorrupt(f"{where} is missing", fix="add the model again")
        require_equal(where, hashlib.sha256(content).hexdigest(), stored)
        return content

    def beside(self, name: str, file_name: str) -> bytes | None:
        """What lies beside the versions of a model; None for nothing."""
        return self._read(self._path(name, file_name), MAX_BESIDE_BYTES)

    def beside_file(self, name: str, file_name: str) -> Path | None:
        """The same, as a file of the cache."""
        content = self.beside(name, file_name)
        if content is None:
            return None
        sha256 = hashlib.sha256(content).hexdigest()
        wanted = Wanted(sha256, file_name, len(content), self.where(name, file_name))
        return self._cache.file(wanted, lambda path: path.write_bytes(content))

    def where(self, name: str, file_name: str) -> str:
        """How to speak of what lies there."""
        return f"{self.shown.rstrip('/')}/{name}/{file_name}"

    @contextlib.contextmanager
    def adding(self, name: str) -> Iterator[AddressAdding]:
        """A new version, of a number claimed for it."""
        folders = self._folders(name)
        self._clear_abandoned(name, folders)
        number, token = self._claim(name, max(folders, default=0) + 1)
        try:
            with self._cache.staging() as folder:
                yield AddressAdding(self, name, number, folder, token)
        finally:
            with contextlib.suppress(VssError):  # what went wrong before says more
                files = self._folders(name).get(number, {})
                if not _is_version(files) and self.holds_claim(name, number, token):
                    self._delete(name, number, *_without_claim(files), CLAIM_FILE)

    def remove(self, name: str, number: int) -> None:
        """Takes a version away for ever: first the mark, from which on there is no such version."""
        files = self._folders(name).get(number, {})
        self._write(self._path(name, number, REMOVED_FILE), b"")
        self._delete(name, number, SUMS_FILE, *_without_claim(files), CLAIM_FILE)
        if not self.numbers(name):
            with reaching(self.shown):
                beside = [parts for parts, _ in self._find(name) if len(parts) == 1]
                for (file_name,) in beside:
                    self._fs.rm_file(self._path(name, file_name))

    # What an adding does.

    def write_new(self, path: str, content: bytes) -> bool:
        """Creates an object; False where there is one already."""
        with reaching(self.shown):
            try:
                make_folder_of(self._fs, path)
                create(self._fs, path, content)
            except FileExistsError:
                return False
            except FileNotFoundError as error:
                raise ConfigError(
                    f"the model store {self.shown} does not exist", fix="make the bucket or folder first"
                ) from error
            except OSError:
                # S3's own answer, "precondition failed", reaches us in as many ways as there are servers.
                if self._fs.exists(path):
                    return False
                raise
        return True

    def upload(self, name: str, number: int, file: Path, progress: Progress) -> None:
        """Writes a model file, and looks whether all of it came there."""
        path = self._path(name, number, file.name)
        with reaching(self.shown):
            self._fs.put_file(str(file), path, callback=progress_callback(progress))
            self._fs.invalidate_cache()
            arrived = size_of(self._fs.info(path))
        if arrived != file.stat().st_size:
            raise StoreUnavailable(f"{self._where(name, number, file.name)} came there cut", fix="add it again")

    def holds_claim(self, name: str, number: int, token: bytes) -> bool:
        """Whether the number is still ours."""
        return self._read(self._path(name, number, CLAIM_FILE), len(token)) == token

    def kept(self, name: str, number: int, file: Path, sha256: str) -> None:
        """Takes an uploaded file into the cache: it will not be downloaded again."""
        wanted = Wanted(sha256, file.name, file.stat().st_size, self._where(name, number, file.name))
        self._cache.keep(file, wanted)

    def path(self, *parts: str | int) -> str:
        """The backend's own path of what lies there."""
        return self._path(*parts)

    # Below.

    @property
    def _fs(self) -> Any:
        return self._open()[0]

    def _open(self) -> tuple[Any, str]:
        if self._opened is None:
            with reaching(self.shown):
                from fsspec.core import url_to_fs

                fs, root = url_to_fs(self._address)
                forget_listings(fs)
                self._opened = fs, str(root).rstrip("/")
        return self._opened

    def _path(self, *parts: str | int) -> str:
        return "/".join([self._open()[1], *map(str, parts)])

    def _where(self, name: str, number: int, file_name: str) -> str:
        return self.where(name, f"{number}/{file_name}")

    def _find(self, *parts: str) -> list[tuple[list[str], dict[str, Any]]]:
        """Every object below, with the parts of its path from there."""
        root = self._path(*parts)
        with reaching(self.shown):
            self._fs.invalidate_cache()
            try:
                found = files_below(self._fs, root)
            except FileNotFoundError:
                return []
        return [
            (path[len(root) :].strip("/").split("/"), info)
            for path, info in found.items()
            if path.startswith(f"{root}/")
        ]

    def _folders(self, name: str) -> dict[int, Files]:
        """Every number that is taken, with the files that lie under it."""
        folders: dict[int, Files] = {}
        for parts, info in self._find(name):
            if len(parts) == 2 and (number := version_number(parts[0])) is not None:
                folders.setdefault(number, {})[parts[1]] = info
        return folders

    def _version(self, name: str, number: int) -> StoredVersion:
        files = self._folders(name).get(number, {})
        if not _is_version(files):
            raise ModelNotFound(f"version {number} of {name} is gone", fix="look with `vss models list` what there is")
        return self._describe(name, number, files, self._sums(name, {number: files}).get(number, b""))

    def _sums(self, name: str, held: dict[int, Files]) -> dict[int, bytes]:
        """What `SHA256SUMS` of some versions hold, read at once; none of one that is gone meanwhile."""
        paths = {self._path(name, number, SUMS_FILE): number for number in held}
        for number, files in held.items():
            refuse_if_too_large(self._where(name, number, SUMS_FILE), size_of(files[SUMS_FILE]), MAX_SUMS_BYTES)
        with reaching(self.shown):
            found: dict[str, Any] = self._fs.cat(list(paths), on_error="return") if paths else {}
            for error in found.values():
                if isinstance(error, Exception) and not isinstance(error, FileNotFoundError):
                    raise error
        return {paths[path]: content for path, content in found.items() if isinstance(content, bytes)}

    def _describe(self, name: str, number: int, files: Files, sums: bytes) -> StoredVersion:
        said = parse_sums(sums, self._where(name, number, SUMS_FILE))
        if said.file_name not in files:
            raise ModelCorrupt(f"version {number} of {name} has no {said.file_name}", fix="add the model again")
        info, added_ns = files[said.file_name], changed_ns(files[SUMS_FILE])
        return StoredVersion(number, size_of(info), added_ns, said.sha256, said.file_name, said.extras)

    def _wanted(self, name: str, held: StoredVersion) -> Wanted:
        where = self._where(name, held.version, held.file_name)
        return Wanted(held.sha256, held.file_name, held.size_bytes, where)

    def _read(self, path: str, limit_bytes: int) -> bytes | None:
        with reaching(self.shown):
            self._fs.invalidate_cache()
            try:
                size_bytes = size_of(self._fs.info(path))
                refuse_if_too_large(f"{path} of {self.shown}", size_bytes, limit_bytes)
                content: bytes = self._fs.cat_file(path)
            except FileNotFoundError:
                return None
        return content

    def _write(self, path: str, content: bytes) -> None:
        with reaching(self.shown):
            self._fs.pipe_file(path, content)

    def _delete(self, name: str, number: int, *file_names: str) -> None:
        for file_name in file_names:
            with reaching(self.shown), contextlib.suppress(FileNotFoundError):
                self._fs.rm_file(self._path(name, number, file_name))

    def _claim(self, name: str, number: int) -> tuple[int, bytes]:
        token = secrets.token_hex(16).encode()
        for candidate in range(number, number + _CLAIM_TRIES):
            # Looking at it again is for backends that create without asking.
            if self.write_new(self._path(name, candidate, CLAIM_FILE), token) and self.holds_claim(
                name, candidate, token
            ):
                return candidate, token
        raise StoreUnavailable(f"too many add to {name} in {self.shown} at once", fix="add it again")

    def _clear_abandoned(self, name: str, folders: dict[int, Files]) -> None:
        for number, files in folders.items():
            if CLAIM_FILE not in files or _is_version(files) or REMOVED_FILE in files:
                continue
            claimed_ns = changed_ns(files[CLAIM_FILE])
            if claimed_ns and self._clock.now_ns() - claimed_ns > _ABANDONED_NS:
                # Its number is not given again: whoever claimed it may wake up and write there.
                self._write(self._path(name, number, REMOVED_FILE), b"")
                self._delete(name, number, *_without_claim(files), CLAIM_FILE)


class AddressAdding:
    """A version that is about to be: a claim and nothing else until `publish`."""

    def __init__(self, place: AddressPlace, name: str, number: int, folder: Path, token: bytes) -> None:
        self.number = number
        self.folder = folder
        self._place = place
        self._name = name
        self._token = token

    def write_beside(self, file_name: str, content: bytes) -> bool:
        """Puts a file beside the versions of the model; False where one lies there."""
        return self._place.write_new(self._place.path(self._name, file_name), content)

    def publish(self, file_name: str, progress: Progress = no_progress) -> None:
        """Uploads the files and, last, their checksums."""
        file = self.folder / file_name
        sums = sums_text(self.folder)
        self._require_claim()
        for extra in self.folder.iterdir():
            if extra.name != file_name:
                self._place.upload(self._name, self.number, extra, no_progress)
        self._place.upload(self._name, self.number, file, progress)
        self._require_claim()
        if not self._place.write_new(self._place.path(self._name, self.number, SUMS_FILE), sums.encode()):
            raise self._lost()
        file.chmod(0o444)
        self._place.kept(self._name, self.number, file, parse_sums(sums.encode(), SUMS_FILE).sha256)

    def _require_claim(self) -> None:
        if not self._place.holds_claim(self._name, self.number, self._token):
            raise self._lost()

    def _lost(self) -> StoreUnavailable:
        return StoreUnavailable(f"the claim on {self._name}@{self.number} was cleared away", fix="add it again")


def _without_claim(files: Files) -> list[str]:
    """What was uploaded under a number; the claim goes last, so that nobody else takes it for abandoned."""
    return [file_name for file_name in files if file_name not in (CLAIM_FILE, REMOVED_FILE, SUMS_FILE)]


def _is_version(files: Files) -> bool:
    return SUMS_FILE in files and REMOVED_FILE not in files
