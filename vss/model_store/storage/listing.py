"""What the backends of fsspec say about a file, each in its own words."""

from __future__ import annotations

import contextlib
from datetime import UTC, datetime
from typing import Any, Final

from vss.model_store.storage.place import Progress

Files = dict[str, dict[str, Any]]
"""Path → what the backend says about it."""
# S3, memory, local and SFTP, Google, Azure.
_TIMES: Final = ("LastModified", "created", "mtime", "updated", "last_modified", "modified")


def size_of(info: dict[str, Any]) -> int:
    """Of a file, bytes."""
    return int(info.get("size") or 0)


def changed_ns(info: dict[str, Any]) -> int:
    """When a file was written, nanoseconds since the epoch; 0 where the backend does not say."""
    for key in _TIMES:
        value = info.get(key)
        if isinstance(value, str):
            try:
                value = datetime.fromisoformat(value)
            except ValueError:
                continue
        if isinstance(value, datetime):
            aware = value if value.tzinfo is not None else value.replace(tzinfo=UTC)
            value = aware.timestamp()
        if isinstance(value, int | float):
            return int(value * 1e9)
    return 0


def files_below(fs: Any, folder: str) -> Files:
    """Every file below a folder, at most three levels deep where folders have to be listed one by one.

    Raises:
        FileNotFoundError: There is no such folder; backends that know no folders return nothing then.
    """
    if _lists_at_once(fs):
        found: Files = fs.find(folder, detail=True)
        return found
    # fsspec's own walk passes over a folder that it could not read, and the latest version would be an older one.
    return _walk(fs, folder, depth=3)


def forget_listings(fs: Any) -> None:
    """Keeps a backend from answering with what it saw before: other machines write there too."""
    if (cache := getattr(fs, "dircache", None)) is not None:
        cache.use_listings_cache = False
    fs.invalidate_cache()


def make_folder_of(fs: Any, path: str) -> None:
    """Makes the folder a file is to lie in, where the backend has folders."""
    if not _lists_at_once(fs):  # an object store would make a bucket of it
        fs.makedirs(path.rpartition("/")[0], exist_ok=True)


def create(fs: Any, path: str, content: bytes) -> None:
    """Makes a file, where the backend can in one step with finding that there is none.

    Raises:
        FileExistsError: There is one.
    """
    from fsspec.spec import AbstractFileSystem

    if getattr(fs.pipe_file, "__func__", None) is AbstractFileSystem.pipe_file:
        # fsspec's own looks first and writes then, whoever came in between.
        try:
            with fs.open(path, "xb") as file:
                file.write(content)
        except (NotImplementedError, ValueError):  # the backend knows no such mode
            pass
        else:
            return
    fs.pipe_file(path, content, mode="create")


def _lists_at_once(fs: Any) -> bool:
    from fsspec.asyn import AsyncFileSystem
    from fsspec.spec import AbstractFileSystem

    if isinstance(fs, AsyncFileSystem):
        return type(fs)._find is not AsyncFileSystem._find
    return type(fs).find is not AbstractFileSystem.find


def _walk(fs: Any, folder: str, depth: int) -> Files:
    found: Files = {}
    for info in fs.ls(folder, detail=True):
        path = str(info["name"]).rstrip("/")
        if path == folder.rstrip("/"):
            continue
        if info.get("type") != "directory":
            found[path] = info
        elif depth > 1:
            with contextlib.suppress(FileNotFoundError):  # gone meanwhile
                found |= _walk(fs, path, depth - 1)
    return found


def progress_callback(progress: Progress) -> Any:
    """What fsspec calls while bytes go through."""
    from fsspec.callbacks import Callback

    def told(size: int | None, value: int, **_: Any) -> None:
        progress(value, size or value)

    return Callback(hooks={"told": told})
