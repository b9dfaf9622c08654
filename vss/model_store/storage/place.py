"""What the model store asks of the place it lies in. A local folder and a remote address are the two there are.

A place knows names, numbers and bytes; what a manifest means, and what may become a version, is the store's matter.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from contextlib import AbstractContextManager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Protocol

Progress = Callable[[int, int], None]
"""Told, whenever bytes went through, how many have and how many there are."""


def no_progress(_done_bytes: int, _total_bytes: int) -> None:
    """For whoever shows none."""


@dataclass(frozen=True, slots=True)
class StoredVersion:
    """One version as it lies in the store.

    Attributes:
        version: Its number.
        size_bytes: Of the model file.
        added_ns: When it was added, nanoseconds since the epoch; 0 where the place does not know.
        sha256: Of the model file, as stored.
        file_name: Of the model file: `model.onnx`, `model.pth`, ….
        extras: SHA-256 of what else was stored with it, by name.
    """

    version: int
    size_bytes: int
    added_ns: int
    sha256: str
    file_name: str
    extras: Mapping[str, str] = field(default_factory=dict)


class Adding(Protocol):
    """A version that is about to be. Nobody sees it before `publish`, and it is gone if that is never called.

    Attributes:
        number: That nobody else has or gets.
        folder: On this machine and empty: for what is published.
    """

    number: int
    folder: Path

    def write_beside(self, file_name: str, content: bytes) -> bool:
        """Puts a file beside the versions of the model, whole or not at all.

        Returns:
            False where a file of that name lies there already; it is left as it is.
        """

    def publish(self, file_name: str, progress: Progress) -> None:
        """Makes the files in `folder`, and the checksums beside them, the version of that number.

        Args:
            file_name: Of the model file; all others are what is stored with it.
            progress: Told of an upload.
        """


class Place(Protocol):
    """Where a store lies. Any number of processes may use one at once.

    Names and file names that come in are valid ones. Every method raises `StoreUnavailable` when the place does not
    answer now, and `ConfigError` when it never will.

    Attributes:
        shown: The address as it may be shown, without a password.
    """

    shown: str

    def names(self) -> list[str]:
        """Names that have at least one version, sorted."""

    def numbers(self, name: str) -> list[int]:
        """Versions of a model, ascending."""

    def versions(self, name: str) -> list[StoredVersion]:
        """Versions of a model, ascending, described.

        Raises:
            ModelCorrupt: One has no checksums, or no file.
        """

    def fetch(self, name: str, number: int, progress: Progress) -> Path:
        """The model file on this machine, checked against its checksum.

        Raises:
            ModelNotFound: It is gone meanwhile, or lies outside the store.
            ModelCorrupt: It is not the file that was stored.
            ModelTooLarge: It is larger than the settings allow.
        """

    def digest(self, name: str, number: int, progress: Progress) -> tuple[str, str]:
        """SHA-256 of the model file, as it was stored and as it is in the place itself.

        Raises:
            ModelCorrupt: There are no checksums, or no file.
        """

    def extras(self, name: str, number: int) -> list[str]:
        """Names of what was stored with a version, sorted.

        Raises:
            ModelNotFound: The version is gone.
            ModelCorrupt: There are no checksums, or no file.
        """

    def read_extra(self, name: str, number: int, file_name: str) -> bytes | None:
        """What was stored with a version, checked against its checksum; None for nothing of that name.

        Raises:
            ModelNotFound: It lies outside the store, or the version is gone.
            ModelCorrupt: It is missing, or not what was stored.
            ModelTooLarge: It is larger than such a file may be.
        """

    def beside(self, name: str, file_name: str) -> bytes | None:
        """What lies beside the versions of a model; None for nothing.

        Raises:
            ModelNotFound: It lies outside the store.
            ConfigError: It is larger than such a file may be.
        """

    def beside_file(self, name: str, file_name: str) -> Path | None:
        """The same, as a file of this machine."""

    def where(self, name: str, file_name: str) -> str:
        """How to speak of what lies there."""

    def adding(self, name: str) -> AbstractContextManager[Adding]:
        """A new version of a model, new or known; nothing of it stays when the block raises."""

    def remove(self, name: str, number: int) -> None:
        """Takes a version away for ever; its number is never given again."""
