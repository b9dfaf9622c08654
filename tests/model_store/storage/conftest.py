from __future__ import annotations

import uuid
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from tests.model_store.storage.s3_server import empty, s3_server, use
from tests.model_store.storage.tree import TreeFileSystem
from vss.model_store.store import ModelStore

Opened = Callable[..., ModelStore]


@pytest.fixture(scope="session")
def s3_endpoint() -> Iterator[str]:
    with s3_server() as endpoint:
        yield endpoint


@pytest.fixture
def s3_address(s3_endpoint: str, monkeypatch: pytest.MonkeyPatch) -> str:
    """A store's address in a bucket of its own."""
    import s3fs

    use(monkeypatch, s3_endpoint)
    empty(s3_endpoint)
    bucket = f"fleet-{uuid.uuid4().hex[:12]}"
    s3fs.S3FileSystem().mkdir(bucket)
    return f"s3://{bucket}/models"


@pytest.fixture
def memory_address() -> Iterator[str]:
    import fsspec

    address = f"memory://{uuid.uuid4().hex}/models"
    yield address
    fs = fsspec.filesystem("memory")
    if fs.exists(address):
        fs.rm(address, recursive=True)


@pytest.fixture
def tree_address(tmp_path: Path) -> str:
    """On a backend that has folders, lists them one by one and makes none by itself, as SFTP and SMB do."""
    import fsspec

    fsspec.register_implementation("tree", TreeFileSystem, clobber=True)
    return f"tree://{tmp_path}/remote"


@pytest.fixture(params=["folder", "memory", "tree", "s3"])
def address(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    """Where a store lies: each kind of place there is."""
    if request.param == "folder":
        return str(tmp_path / "store")
    found: str = request.getfixturevalue(f"{request.param}_address")
    return found


@pytest.fixture(params=["memory", "tree", "s3"])
def remote_address(request: pytest.FixtureRequest) -> str:
    found: str = request.getfixturevalue(f"{request.param}_address")
    return found


@pytest.fixture
def opened(tmp_path: Path) -> Opened:
    """Opens a store as another process would, with the download cache of this test."""

    def open_(address: str, **more: object) -> ModelStore:
        return ModelStore(address, **{"cache": tmp_path / "cache", **more})  # type: ignore[arg-type]

    return open_


@pytest.fixture
def file(tmp_path: Path) -> Path:
    path = tmp_path / "best.onnx"
    path.write_bytes(b"first")
    return path
