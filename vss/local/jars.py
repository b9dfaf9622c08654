"""The broker's jars: named and hashed in a lock file, fetched once into the user's cache."""

from __future__ import annotations

import contextlib
import hashlib
import http.client
import json
import os
import tempfile
import threading
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor, as_completed
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO, TextIO

from vss.clock import Clock, SystemClock
from vss.errors import LocalError
from vss.local.download_progress import download_progress
from vss.local.repository import repository_address, request
from vss.masking import mask_text

LOCK_FILE = Path(__file__).with_name("kafka.lock.json")
WORKERS = 8
ATTEMPTS = 4
FIRST_BACKOFF_S = 0.25
TIMEOUT_S = 30.0
CHUNK_BYTES = 256 * 1024
HALF_SUFFIX = ".half"
ABANDONED_AFTER_S = 600.0
TRY_AGAIN_STATUS = frozenset({408, 425, 429, 500, 502, 503, 504})


@dataclass(frozen=True, slots=True)
class Jar:
    """One file of the closure.

    Attributes:
        coordinates: Maven's `group:artifact:version`.
        sha256: Of the content, hexadecimal.
        size_bytes: Of the content.
    """

    coordinates: str
    sha256: str
    size_bytes: int

    @property
    def file_name(self) -> str:
        """As in every Maven repository."""
        _, artifact, version = self.coordinates.split(":")
        return f"{artifact}-{version}.jar"

    @property
    def url_path(self) -> str:
        """Below a repository's address."""
        group, artifact, version = self.coordinates.split(":")
        return f"{group.replace('.', '/')}/{artifact}/{version}/{self.file_name}"


@dataclass(frozen=True, slots=True)
class JarLock:
    """What the lock file holds.

    Attributes:
        kafka_version: Of the broker.
        jars: All it needs.
    """

    kafka_version: str
    jars: tuple[Jar, ...]


def read_lock(path: Path = LOCK_FILE) -> JarLock:
    """Reads a lock file that `scripts/relock_kafka.py` wrote."""
    document = json.loads(path.read_text())
    return JarLock(document["kafka_version"], tuple(Jar(**jar) for jar in document["jars"]))


def cache_folder(environ: Mapping[str, str]) -> Path:
    """The user's cache: `VSS_CACHE`, else `$XDG_CACHE_HOME/vss-fleet`, else `~/.cache/vss-fleet`."""
    if chosen := environ.get("VSS_CACHE"):
        return Path(chosen)
    if xdg := environ.get("XDG_CACHE_HOME"):
        return Path(xdg) / "vss-fleet"
    return Path.home() / ".cache" / "vss-fleet"


class JarCache:
    """The jars on this machine.

    Args:
        folder: Where they are kept; made when missing. Any number of processes may share it.
        lock: What there must be.
        repository: Gives the address of a Maven repository; asked only when something must be fetched.
        out: Where progress is shown.
        clock: For the waits between attempts.
    """

    def __init__(
        self, folder: Path, lock: JarLock, *, repository: Callable[[], str], out: TextIO, clock: Clock | None = None
    ) -> None:
        self.folder = folder
        self.lock = lock
        self._repository = repository
        self._out = out
        self._clock = clock or SystemClock()
        self._cancelled = threading.Event()

    @classmethod
    def from_environment(cls, environ: Mapping[str, str], *, out: TextIO, clock: Clock | None = None) -> JarCache:
        """The user's cache, filled from where `repository_address` says."""
        return cls(
            cache_folder(environ) / "jars",
            read_lock(),
            repository=lambda: repository_address(environ),
            out=out,
            clock=clock,
        )

    def ensure(self) -> list[Path]:
        """Fetches what is missing or damaged, and returns every jar in the lock file's order.

        Raises:
            LocalError: A jar could not be fetched, its content is not the locked one, or the cache cannot be written.
        """
        try:
            self.folder.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise self._unwritable(error) from error
        with ThreadPoolExecutor(WORKERS) as pool:
            whole = pool.map(self._is_whole, self.lock.jars)
            missing = [jar for jar, is_whole in zip(self.lock.jars, whole, strict=True) if not is_whole]
        if missing:
            self._fetch_all(missing)
        return self.paths()

    def paths(self) -> list[Path]:
        """Where the jars are or will be, in the lock file's order."""
        return [(self.folder / jar.file_name).resolve() for jar in self.lock.jars]

    def _is_whole(self, jar: Jar) -> bool:
        path = self.folder / jar.file_name
        if not path.is_file() or path.stat().st_size != jar.size_bytes:
            return False
        with path.open("rb") as content:
            return hashlib.file_digest(content, "sha256").hexdigest() == jar.sha256

    def _fetch_all(self, jars: Sequence[Jar]) -> None:
        repository = self._repository()
        self._cancelled.clear()
        self._sweep()
        label = f"Kafka {self.lock.kafka_version}: {len(jars)} files"
        # The largest first, so that none of them is what everybody waits for at the end.
        ordered = sorted(jars, key=lambda jar: jar.size_bytes, reverse=True)
        total_bytes = sum(jar.size_bytes for jar in jars)
        with download_progress(label, total_bytes, self._out) as advance, ThreadPoolExecutor(WORKERS) as pool:
            futures = [pool.submit(self._fetch, jar, repository, advance) for jar in ordered]
            try:
                for future in as_completed(futures):
                    future.result()
            except BaseException:
                self._cancelled.set()
                pool.shutdown(cancel_futures=True)
                raise

    def _sweep(self) -> None:
        """Removes what a killed download left behind, not what another process is just writing."""
        for half in self.folder.glob(f"*{HALF_SUFFIX}"):
            with contextlib.suppress(OSError):
                if self._clock.now_ns() / 1e9 - half.stat().st_mtime > ABANDONED_AFTER_S:
                    half.unlink()

    def _fetch(self, jar: Jar, repository: str, advance: Callable[[int], None]) -> None:
        """Fetches one jar into place, trying again after what may pass."""
        url = f"{repository}/{jar.url_path}"
        for attempt in range(ATTEMPTS):
            received_bytes = 0

            def count(size_bytes: int) -> None:
                nonlocal received_bytes
                received_bytes += size_bytes
                advance(size_bytes)

            try:
                self._fetch_once(jar, url, count)
                return
            except urllib.error.HTTPError as error:
                error.close()
                reason: Exception = error
                if error.code not in TRY_AGAIN_STATUS:
                    break
            except (OSError, http.client.HTTPException) as error:  # URLError, timeouts and TLS are OSErrors, too
                reason = error
            if attempt + 1 == ATTEMPTS or self._clock.wait(self._cancelled, FIRST_BACKOFF_S * 2**attempt):
                break
            advance(-received_bytes)
        raise LocalError(
            f"{mask_text(url)} cannot be fetched: {reason}",
            fix="check the network and HTTPS_PROXY, or set VSS_MAVEN_MIRROR to a Maven repository you can reach",
        ) from reason

    def _fetch_once(self, jar: Jar, url: str, count: Callable[[int], None]) -> None:
        digest = hashlib.sha256()
        size_bytes = 0
        with self._half(jar) as half, urllib.request.urlopen(request(url), timeout=TIMEOUT_S) as response:  # noqa: S310 - http(s) and file alone
            # One byte beyond the locked size is enough to know that it is another file.
            while size_bytes <= jar.size_bytes and (chunk := response.read(CHUNK_BYTES)):
                if self._cancelled.is_set():
                    return
                half.write(chunk)
                digest.update(chunk)
                size_bytes += len(chunk)
                count(len(chunk))
            if size_bytes < jar.size_bytes:
                raise ConnectionError(f"it ended after {size_bytes} of {jar.size_bytes} bytes")
            if digest.hexdigest() != jar.sha256:
                raise LocalError(
                    f"{mask_text(url)} is not the file that was locked: its SHA-256 is {digest.hexdigest()}, "
                    f"not {jar.sha256}",
                    fix="do not use this mirror, or find out who changed the file",
                )
            half.keep(self.folder / jar.file_name)

    @contextmanager
    def _half(self, jar: Jar) -> Iterator[_HalfFile]:
        """A file beside the jar that becomes the jar with `keep`, or nothing."""
        try:
            descriptor, name = tempfile.mkstemp(HALF_SUFFIX, f".{jar.file_name}.", self.folder)
        except OSError as error:
            raise self._unwritable(error) from error
        path = Path(name)
        try:
            with os.fdopen(descriptor, "wb") as content:
                yield _HalfFile(path, content, self._unwritable)
        finally:
            path.unlink(missing_ok=True)

    def _unwritable(self, error: OSError) -> LocalError:
        return LocalError(
            f"the cache {self.folder} cannot be written: {error.strerror}",
            fix="set VSS_CACHE to a folder with room that you may write to",
        )


@dataclass(frozen=True, slots=True)
class _HalfFile:
    """A jar under way. Trouble with the disk is told apart from trouble with the network, which may pass."""

    path: Path
    content: BinaryIO
    failed: Callable[[OSError], LocalError]

    def write(self, chunk: bytes) -> None:
        try:
            self.content.write(chunk)
        except OSError as error:
            raise self.failed(error) from error

    def keep(self, path: Path) -> None:
        try:
            self.content.close()
            self.path.replace(path)
        except OSError as error:
            raise self.failed(error) from error
