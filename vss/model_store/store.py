"""The model store: immutable, numbered versions of named models, in a folder or at an address that fsspec knows."""

from __future__ import annotations

import difflib
from collections.abc import Callable, Collection, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

from vss.clock import Clock
from vss.config import ModelSettings
from vss.errors import ConfigError, ModelCorrupt, ModelError, ModelNotFound
from vss.metrics import Metrics
from vss.model_store.file_kind import stored_name
from vss.model_store.layout import MANIFEST_FILE, is_valid_name, local_folder
from vss.model_store.manifest import Manifest, parse_manifest
from vss.model_store.resolve import LATEST, ModelRef, no_smoke
from vss.model_store.storage.address import AddressPlace
from vss.model_store.storage.download_cache import DownloadCache
from vss.model_store.storage.folder import FolderPlace
from vss.model_store.storage.place import Adding, Place, Progress, StoredVersion, no_progress
from vss.model_store.taking import (
    check_extras,
    check_file,
    check_name,
    copy_file,
    named_after,
    smoke_picture,
    write_file,
)

_MANIFEST_NOTE = "# Holds for every version of this model; docs/models.md lists the keys.\n"


@dataclass(frozen=True, slots=True)
class Checked:
    """What `verify` found of one version.

    Attributes:
        name: Of the model.
        version: Its number.
        problem: What is wrong with it; empty when it is what was stored.
    """

    name: str
    version: int
    problem: str


class ModelStore:
    """Models and their versions. Any number of processes may use one at once.

    Args:
        address: A folder, made by the first `add`, or an address that fsspec knows.
        cache: Folder that keeps the files of a store that is no folder.
        cache_bytes: What that folder may hold.
        max_file_bytes: A larger model file is refused.
        clock: Time.
        metrics: Where downloads are counted.
    """

    def __init__(
        self,
        address: str,
        *,
        cache: Path,
        cache_bytes: int = 20 << 30,
        max_file_bytes: int = 4 << 30,
        clock: Clock | None = None,
        metrics: Metrics | None = None,
    ) -> None:
        folder = local_folder(address)
        self.place: Place
        if folder is not None:
            self.place = FolderPlace(folder, max_file_bytes=max_file_bytes)
        else:
            downloads = DownloadCache(cache, cache_bytes, clock=clock, metrics=metrics)
            self.place = AddressPlace(address, cache=downloads, max_file_bytes=max_file_bytes, clock=clock)
        self._max_file_bytes = max_file_bytes

    @classmethod
    def of(cls, settings: ModelSettings, *, metrics: Metrics | None = None) -> ModelStore:
        """The store that the settings name. Nothing is read or reached yet."""
        return cls(
            settings.store,
            cache=settings.download_cache,
            cache_bytes=settings.download_cache_bytes,
            max_file_bytes=settings.max_file_bytes,
            metrics=metrics,
        )

    @property
    def shown(self) -> str:
        """The address, without a password that it may hold."""
        return self.place.shown

    def names(self) -> list[str]:
        """Names of all models, sorted."""
        return self.place.names()

    def numbers(self, name: str) -> list[int]:
        """Numbers of a model's versions, ascending; empty where there is no such model.

        Raises:
            ModelNotFound: The model lies outside the store.
        """
        return self.place.numbers(name) if is_valid_name(name) else []

    def versions(self, name: str) -> list[StoredVersion]:
        """Versions of a model, ascending; the last is `latest`.

        Raises:
            ModelNotFound: The model lies outside the store.
            ModelCorrupt: A version has no checksums, or no file.
        """
        return self.place.versions(name) if is_valid_name(name) else []

    def find(self, name: str, version: str = LATEST, *, progress: Progress = no_progress) -> ModelRef:
        """A version whose file is here, and is the one that was stored.

        Raises:
            ModelNotFound: No such model or version, or it lies outside the store.
            ModelCorrupt: The file differs from its checksum.
            ModelTooLarge: It is larger than the settings allow.
            ConfigError: The manifest does not fit, or the store can never be reached.
            StoreUnavailable: The store does not answer now.
        """
        number = self._number(name, version)
        file = self.place.fetch(name, number, progress)
        manifest = self.manifest(name)
        return ModelRef(name, str(number), file, manifest, self._smoke(name, manifest))

    def manifest(self, name: str) -> Manifest:
        """The manifest of a model of the store; one of defaults where there is none.

        Raises:
            ModelNotFound: It lies outside the store.
            ConfigError: It does not fit.
        """
        content = self.place.beside(name, MANIFEST_FILE)
        return parse_manifest(content, self.place.where(name, MANIFEST_FILE)) if content is not None else Manifest()

    def add(
        self,
        file: Path,
        name: str,
        manifest: Manifest,
        *,
        check: Callable[[ModelRef], object],
        smoke: Path | None = None,
        extras: Mapping[str, bytes] | None = None,
        progress: Progress = no_progress,
    ) -> ModelRef:
        """Takes a copy of a model file as the next version of a model.

        1. Get a number that nobody else has, and a folder of our own.
        2. Copy the file there, under the name that says what it is, and write what is stored with it.
        3. Check the copy: what was checked is what will be served.
        4. Write the manifest and its smoke picture, if the model has none yet.
        5. Publish: from here on the version exists, whole.

        Args:
            file: An ONNX file with its weights inside, a state dict, TorchScript or a program of `torch.export`.
            name: Of the model; new or known.
            manifest: What is known about the model. A model that is in the store already keeps its own, and every key
                set here must agree with it.
            check: Called with the copy; raises `ModelError` when it cannot be served.
            smoke: The picture that the manifest names as its smoke input; the one of that name beside the file by
                default.
            extras: What is stored with this version and never changes, by name: how it was trained, its curves. At most
                8 of 16 MiB.
            progress: Told of an upload.

        Raises:
            ConfigError: The name, or one of `extras`, is none, the manifest disagrees with the stored one, or the store
                cannot be written.
            ModelNotFound: There is no such file, it may not be read, or the model lies outside the store.
            ModelUnsupported: The file is of a kind that has to be exported first.
            ModelUnsafe: It carries code.
            ModelTooLarge: It is larger than the settings allow.
            ModelError: The check failed.
            StoreUnavailable: The store does not answer now.
        """
        check_name(name)
        check_file(file, self._max_file_bytes)
        kind = stored_name(file)
        picture = smoke_picture(manifest, smoke, file)
        check_extras(extras or {})
        with self.place.adding(name) as adding:  # 1
            kept = self._agreed_manifest(name, manifest, picture)
            copy = adding.folder / kind
            copy_file(file, copy)  # 2
            for file_name, content in (extras or {}).items():
                write_file(adding.folder / file_name, content)
            if kept is not None:
                ref = ModelRef(name, str(adding.number), copy, kept, self._smoke(name, kept))
            else:
                if manifest.smoke.image is not None and picture is None:
                    raise no_smoke(str(file.with_name(manifest.smoke.image)))
                ref = ModelRef(name, str(adding.number), copy, manifest, picture)
            with named_after(file, copy):
                check(ref)  # 3
            if kept is None:
                self._write_beside(adding, name, manifest, picture)  # 4
            adding.publish(kind, progress)  # 5
        return self.find(name, ref.version)

    def verify(self, name: str, version: str | None = None, *, progress: Progress = no_progress) -> Iterator[Checked]:
        """Compares versions with the checksums they were stored with, reading all of them where they lie.

        Args:
            name: Of the model.
            version: One of them; all by default.
            progress: Told of each version's bytes.

        Raises:
            ModelNotFound: No such model or version.
            StoreUnavailable: The store does not answer now.
        """
        wanted = [self._number(name, version)] if version is not None else self.numbers(name)
        if not wanted:
            self._number(name, LATEST)
        for number in wanted:
            try:
                stored, actual = self.place.digest(name, number, progress)
            except (ModelCorrupt, ModelNotFound) as error:
                yield Checked(name, number, str(error))
                continue
            same = stored == actual
            problem = "" if same else f"SHA-256 is {actual[:12]}…, stored was {stored[:12]}…"
            yield Checked(name, number, problem or self._problem_beside(name, number))

    def extras(self, name: str, version: str) -> list[str]:
        """Names of what was stored with a version, sorted (see `add`).

        Raises:
            ModelNotFound: No such model or version.
            ModelCorrupt: The version has no checksums, or no file.
        """
        return self.place.extras(name, self._number(name, version))

    def read_extra(self, name: str, version: str, file_name: str) -> bytes:
        """What was stored with a version, checked against its checksum.

        Raises:
            ModelNotFound: No such model or version, or nothing of that name.
            ModelCorrupt: It is not what was stored.
        """
        number = self._number(name, version)
        content = self.place.read_extra(name, number, file_name)
        if content is None:
            there = ", ".join(self.extras(name, version)) or "nothing"
            raise ModelNotFound(
                f"no {file_name} was stored with {name}@{number}", fix=f"there is {there} with that version"
            )
        return content

    def _problem_beside(self, name: str, number: int) -> str:
        try:
            for file_name in self.place.extras(name, number):
                self.place.read_extra(name, number, file_name)
        except ModelError as error:
            return str(error)
        return ""

    def remove(self, name: str, version: str, *, serving: Callable[[str], Collection[str]]) -> int:
        """Takes a version away for ever; its number is never given again.

        Args:
            name: Of the model.
            version: Its number.
            serving: Says which versions of a model serve, or may at any moment.

        Returns:
            The number.

        Raises:
            ModelNotFound: No such model or version.
            ConfigError: It serves.
        """
        number = self._number(name, version)
        if str(number) in serving(name):
            raise ConfigError(
                f"{name}@{number} is active",
                fix=f"activate another version first: `vss models activate {name} VERSION`",
            )
        self.place.remove(name, number)
        return number

    def _number(self, name: str, version: str) -> int:
        numbers = self.numbers(name)
        if not numbers:
            raise ModelNotFound(f"no model {name!r} in the store {self.shown}", fix=self._near(name))
        if version == LATEST:
            return numbers[-1]
        if version not in map(str, numbers):
            raise ModelNotFound(
                f"model {name} has no version {version!r}", fix=f"versions of {name}: {', '.join(map(str, numbers))}"
            )
        return int(version)

    def _near(self, name: str) -> str:
        near = difflib.get_close_matches(name, self.names(), n=1, cutoff=0.6)
        if near:
            return f"did you mean {near[0]}?"
        return "add it with `vss models add FILE --name NAME`, give the path of a model file, or name the store"

    def _smoke(self, name: str, manifest: Manifest) -> Path | None:
        if manifest.smoke.image is None:
            return None
        picture = self.place.beside_file(name, manifest.smoke.image)
        if picture is None:
            raise no_smoke(self.place.where(name, manifest.smoke.image))
        return picture

    def _agreed_manifest(self, name: str, wanted: Manifest, picture: Path | None) -> Manifest | None:
        """The manifest that stays as it is; None when there is none yet."""
        if self.place.beside(name, MANIFEST_FILE) is None and not self.place.numbers(name):
            return None
        kept = self.manifest(name)
        differing = _differing(wanted.model_dump(exclude_unset=True), kept.model_dump())
        if picture is not None and not differing and kept.smoke.image is not None:
            stored = self.place.beside(name, kept.smoke.image)
            differing = ["smoke picture"] if stored is not None and stored != picture.read_bytes() else []
        if differing:
            where = self.place.where(name, MANIFEST_FILE)
            raise ConfigError(
                f"model {name} is in the store with other {', '.join(differing)}",
                fix=f"edit {where}, which holds for all its versions, or choose another --name",
            )
        return kept

    def _write_beside(self, adding: Adding, name: str, manifest: Manifest, picture: Path | None) -> None:
        if picture is not None and manifest.smoke.image is not None:
            adding.write_beside(manifest.smoke.image, picture.read_bytes())
        if not adding.write_beside(MANIFEST_FILE, _manifest_text(manifest).encode()):
            self._agreed_manifest(name, manifest, picture)  # somebody else has added the first version meanwhile


def _differing(wanted: dict[str, Any], kept: dict[str, Any], prefix: str = "") -> list[str]:
    names: list[str] = []
    for key, value in wanted.items():
        if isinstance(value, dict) and isinstance(kept.get(key), dict):
            names += _differing(value, kept[key], f"{prefix}{key}.")
        elif value != kept.get(key):
            names.append(f"{prefix}{key}")
    return names


def _manifest_text(manifest: Manifest) -> str:
    document = {"task": manifest.task, **manifest.model_dump(mode="json", exclude_unset=True)}
    return _MANIFEST_NOTE + yaml.safe_dump(document, sort_keys=False, allow_unicode=True)
