"""Model files of a store that is no folder, kept on this machine: by content, so that nothing in it can be stale.

    {folder}/{sha256}/model.onnx

A file is under its name only when it is whole and its content is its name's; it is checked again whenever it is handed
out. Any number of processes and threads may use one folder: who works on an entry holds its lock.
"""

from __future__ import annotations

import contextlib
import fcntl
import os
import shutil
import tempfile
import threading
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from vss.clock import Clock, Deadline, SystemClock
from vss.errors import ConfigError, StoreUnavailable
from vss.metrics import Metrics
from vss.model_store.checksums import require_equal, sha256_of
from vss.model_store.storage.faults import reaching

# Whoever was handed a file opens it well within this time, and what is open stays readable.
_SPARED_NS: Final = 60 * 10**9
# How long somebody else may take with the same file.
_PATIENCE_S: Final = 900.0
_POLL_S: Final = 0.05
_PARTIAL: Final = ".part"
_STAGING: Final = ".staging-"
_HELD: Final = ".held"
_FILES: Final = "files"


@dataclass(frozen=True, slots=True)
class Wanted:
    """A file that shall be at hand.

    Attributes:
        sha256: Of its content.
        file_name: That it shall have.
        size_bytes: That it has in the store.
        where: How to speak of it.
    """

    sha256: str
    file_name: str
    size_bytes: int
    where: str


class DownloadCache:
    """A folder of downloaded files, the least recently used of which go when it is full.

    Args:
        folder: Made when it is needed.
        max_bytes: That the files may take. What was handed out within the last minute stays, even beyond it.
        clock: Time.
        metrics: Where it is counted.
    """

    def __init__(
        self, folder: Path, max_bytes: int, *, clock: Clock | None = None, metrics: Metrics | None = None
    ) -> None:
        self.folder = folder.expanduser()
        self.max_bytes = max_bytes
        self._clock = clock or SystemClock()
        self._metrics = metrics

    def file(self, wanted: Wanted, download: Callable[[Path], object]) -> Path:
        """The file, downloaded unless it is here.

        Args:
            wanted: Which.
            download: Writes its content to a path. It is called under the lock of this one file.

        Raises:
            ConfigError: The folder cannot be written, or is smaller than the file.
            StoreUnavailable: The download was cut, or somebody else has held the file for a quarter of an hour.
            ModelCorrupt: What came is whole and is not what was stored.
        """
        if wanted.size_bytes > self.max_bytes:
            raise ConfigError(
                f"{wanted.where} has {wanted.size_bytes} bytes, more than the download cache may hold",
                fix="raise model.download_cache_bytes",
            )
        with self._writing(), self._locked(wanted.sha256):
            path = self.folder / wanted.sha256 / wanted.file_name
            if self._holds(path, wanted.sha256):
                self._count("cached")
            else:
                self._fetch(path, wanted, download)
            self._used(path.parent)
            self._measure()
            return path

    @contextlib.contextmanager
    def staging(self) -> Iterator[Path]:
        """An empty folder on the cache's own disk, for what `keep` takes; gone afterwards."""
        with self._writing():
            held = Path(tempfile.mkdtemp(prefix=_STAGING, dir=self.folder))
            (held / _FILES).mkdir()
        try:
            with _trying(held / "lock"):
                # Under this name only now: whoever finds it free there takes us for dead.
                (held / "lock").rename(held / _HELD)
                yield held / _FILES
        finally:
            shutil.rmtree(held, ignore_errors=True)

    def keep(self, file: Path, wanted: Wanted) -> None:
        """Takes a file of `staging` over, so that it need not be downloaded."""
        if wanted.size_bytes > self.max_bytes:
            return
        with self._writing(), self._locked(wanted.sha256):
            path = self.folder / wanted.sha256 / wanted.file_name
            self._make_room(wanted)
            path.parent.mkdir(exist_ok=True)
            file.replace(path)
            self._used(path.parent)
            self._measure()

    def _holds(self, path: Path, sha256: str) -> bool:
        try:
            if sha256_of(path) == sha256:
                return True
        except FileNotFoundError:
            return False
        path.unlink()  # a disk's fault, or somebody's edit
        return False

    def _fetch(self, path: Path, wanted: Wanted, download: Callable[[Path], object]) -> None:
        self._make_room(wanted)
        partial = path.with_name(f"{_PARTIAL}-{wanted.file_name}")
        path.parent.mkdir(exist_ok=True)
        try:
            with reaching(wanted.where):
                download(partial)
            self._settle(partial, path, wanted)
        except BaseException:
            self._count("failed")
            raise
        finally:
            partial.unlink(missing_ok=True)
        self._count("fetched")

    def _count(self, result: str) -> None:
        if self._metrics is not None:
            self._metrics.model_downloads.labels(result).inc()

    def _measure(self) -> None:
        if self._metrics is not None:
            self._metrics.download_cache_bytes.set(sum(map(_bytes_in, self._entries())))

    def _entries(self) -> list[Path]:
        return [entry for entry in self.folder.iterdir() if not entry.name.startswith(".")]

    def _settle(self, partial: Path, path: Path, wanted: Wanted) -> None:
        size_bytes = partial.stat().st_size
        if size_bytes != wanted.size_bytes:
            raise StoreUnavailable(
                f"{wanted.where} came with {size_bytes} of {wanted.size_bytes} bytes",
                fix="try again; the download was cut",
            )
        require_equal(wanted.where, sha256_of(partial), wanted.sha256)
        partial.chmod(0o444)
        with partial.open("rb") as content:
            os.fsync(content.fileno())
        partial.replace(path)

    def _used(self, entry: Path) -> None:
        now_ns = self._clock.now_ns()
        os.utime(entry, ns=(now_ns, now_ns))

    def _make_room(self, wanted: Wanted) -> None:
        """Removes the least recently used files until the wanted one fits; not those in use or just handed out."""
        now_ns = self._clock.now_ns()
        for left in self.folder.glob(f"{_STAGING}*/{_HELD}"):
            # By a process that was killed; whoever adds now holds it, or takes it away itself.
            with contextlib.suppress(FileNotFoundError), _trying(left) as abandoned:
                if abandoned:
                    shutil.rmtree(left.parent, ignore_errors=True)
        entries = sorted(
            (_used_ns(entry), _bytes_in(entry), entry) for entry in self._entries() if entry.name != wanted.sha256
        )
        held = sum(size_bytes for _, size_bytes, _ in entries)
        for used_ns, size_bytes, entry in entries:
            if held + wanted.size_bytes <= self.max_bytes or now_ns - used_ns < _SPARED_NS:
                break
            with contextlib.ExitStack() as stack:
                # The same lock may stand for both, and is then held already.
                if _stripe(entry.name) != _stripe(wanted.sha256) and not stack.enter_context(
                    _trying(self._lock_of(entry.name))
                ):
                    continue
                shutil.rmtree(entry, ignore_errors=True)
                held -= size_bytes

    @contextlib.contextmanager
    def _locked(self, sha256: str) -> Iterator[None]:
        deadline = Deadline.after(_PATIENCE_S, self._clock)
        pause = threading.Event()
        while True:
            with _trying(self._lock_of(sha256)) as got:
                if got:
                    yield
                    return
            if deadline.passed():
                raise StoreUnavailable(
                    f"another process holds {self.folder / sha256}", fix="end the process that downloads it"
                )
            self._clock.wait(pause, _POLL_S)

    def _lock_of(self, name: str) -> Path:
        # A few files for all entries, so that they need not be cleared away.
        return self.folder / f".lock-{_stripe(name)}"

    @contextlib.contextmanager
    def _writing(self) -> Iterator[None]:
        try:
            self.folder.mkdir(parents=True, exist_ok=True)
            yield
        except OSError as error:
            raise ConfigError(
                f"the download cache {self.folder} cannot be used: {error.strerror or error}",
                fix="name a folder on a disk with space with model.download_cache",
            ) from error


@contextlib.contextmanager
def _trying(path: Path) -> Iterator[bool]:
    """Whether the lock is ours now; let go with the file, or with the process."""
    with path.open("a") as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            yield False
        else:
            yield True


def _stripe(name: str) -> str:
    return name[:2]


def _used_ns(entry: Path) -> int:
    try:
        return entry.stat().st_mtime_ns
    except FileNotFoundError:
        return 0


def _bytes_in(entry: Path) -> int:
    total = 0
    with contextlib.suppress(FileNotFoundError, NotADirectoryError):  # another process may take it away meanwhile
        for path in entry.iterdir():
            total += path.stat().st_size
    return total
