"""What the backends of fsspec say about a file, each in its own words."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any, Final

from vss.model_store.storage.place import Progress

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


def progress_callback(progress: Progress) -> Any:
    """What fsspec calls while bytes go through."""
    from fsspec.callbacks import Callback

    def told(size: int | None, value: int, **_: Any) -> None:
        progress(value, size or value)

    return Callback(hooks={"told": told})
