"""A backend of fsspec with folders, as far away as another path of this machine."""

from __future__ import annotations

from typing import Any

from fsspec.implementations.local import LocalFileSystem


class TreeFileSystem(LocalFileSystem):  # type: ignore[misc]
    """`tree:///path`."""

    protocol = "tree"

    @classmethod
    def _strip_protocol(cls, path: Any) -> Any:
        return super()._strip_protocol(str(path).removeprefix("tree://"))
