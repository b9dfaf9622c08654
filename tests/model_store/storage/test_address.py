"""What is different where a store is no folder: no rename, a network, credentials, and a cache between."""

from __future__ import annotations

import multiprocessing
import sys
from pathlib import Path
from typing import Any

import pytest
from fsspec.implementations.memory import MemoryFileSystem

from tests.model_store.storage.conftest import Opened
from tests.model_store.storage.s3_server import s3_server, use
from tests.model_store.storage.victim import die_before_the_checksums
from vss.clock import SystemClock
from vss.config import ModelSettings
from vss.errors import ConfigError, ModelCorrupt, ModelNotFound, StoreUnavailable
from vss.model_store.manifest import Manifest
from vss.model_store.resolve import ModelRef, resolve_model
from vss.model_store.storage.address import CLAIM_FILE


def accept(_ref: ModelRef) -> None:
    pass


class LaterClock(SystemClock):
    """The machine's time, some days on."""

    def __init__(self, days: float) -> None:
        self._ahead_ns = int(days * 86_400e9)

    def now_ns(self) -> int:
        return super().now_ns() + self._ahead_ns


def objects(address: str) -> list[str]:
    from fsspec.core import url_to_fs

    fs, root = url_to_fs(address)
    fs.invalidate_cache()
    return sorted(path[len(root) :] for path in fs.find(root))


def test_an_interrupted_add_leaves_no_half_version_and_is_cleared_away_a_day_later(
    s3_address: str, s3_endpoint: str, opened: Opened, file: Path, tmp_path: Path
) -> None:
    victim = multiprocessing.get_context("spawn").Process(
        target=die_before_the_checksums, args=(s3_address, tmp_path / "its", file, s3_endpoint)
    )
    victim.start()
    victim.join(60)
    assert victim.exitcode == -9
    left = {path for path in objects(s3_address) if path.startswith("/gate/1/")}
    assert left == {f"/gate/1/{CLAIM_FILE}", "/gate/1/model.onnx"}

    store = opened(s3_address)
    assert (store.names(), store.numbers("gate"), store.versions("gate")) == ([], [], [])
    with pytest.raises(ModelNotFound):
        store.find("gate", "1")
    assert store.add(file, "gate", Manifest(), check=accept).version == "2"
    assert left <= set(objects(s3_address)), "it may still be at work"

    opened(s3_address, clock=LaterClock(2)).add(file, "gate", Manifest(), check=accept)
    assert {path for path in objects(s3_address) if path.startswith("/gate/1/")} == {"/gate/1/REMOVED"}
    assert opened(s3_address).numbers("gate") == [2, 3]


def test_a_failed_upload_leaves_nothing(remote_address: str, opened: Opened, file: Path) -> None:
    store = opened(remote_address)
    place: Any = store.place

    def cut(*_: Any) -> None:
        raise StoreUnavailable("the line is dead")

    place.upload = cut
    with pytest.raises(StoreUnavailable):
        store.add(file, "gate", Manifest(), check=accept)

    assert [path for path in objects(remote_address) if path.startswith("/gate/1/")] == []
    assert opened(remote_address).add(file, "gate", Manifest(), check=accept).version == "1"


def test_an_adder_whose_claim_was_cleared_away_publishes_nothing(
    remote_address: str, opened: Opened, file: Path
) -> None:
    def check(_ref: ModelRef) -> None:
        later = opened(remote_address, clock=LaterClock(2))
        later.add(file, "gate", Manifest(), check=accept)

    with pytest.raises(StoreUnavailable, match="cleared away"):
        opened(remote_address).add(file, "gate", Manifest(), check=check)

    assert len(opened(remote_address).numbers("gate")) == 1


def test_an_adder_that_lost_its_number_leaves_the_new_owner_alone(
    remote_address: str, opened: Opened, file: Path
) -> None:
    from fsspec.core import url_to_fs

    fs, root = url_to_fs(remote_address)
    claim = f"{root}/gate/1/{CLAIM_FILE}"

    def check(_ref: ModelRef) -> None:
        fs.rm_file(claim)
        fs.pipe_file(claim, b"somebody else's")

    with pytest.raises(StoreUnavailable, match="cleared away"):
        opened(remote_address).add(file, "gate", Manifest(), check=check)

    assert fs.cat_file(claim) == b"somebody else's"


def test_what_was_added_here_is_not_downloaded_and_what_was_downloaded_is_not_again(
    remote_address: str, opened: Opened, file: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from fsspec.core import url_to_fs

    fetched: list[str] = []
    fs, _ = url_to_fs(remote_address)
    get_file = fs.get_file

    def counted(remote: str, local: str, **extra: Any) -> None:
        fetched.append(remote)
        get_file(remote, local, **extra)

    monkeypatch.setattr(fs, "get_file", counted)
    added = opened(remote_address).add(file, "gate", Manifest(), check=accept)
    assert opened(remote_address).find("gate").file == added.file
    assert fetched == []

    other = {"cache": tmp_path / "of-another-machine"}
    first = opened(remote_address, **other).find("gate")
    assert first.file.read_bytes() == b"first"
    assert opened(remote_address, **other).find("gate").file == first.file
    assert len(fetched) == 1
    assert first.file.stat().st_mode & 0o222 == 0


def test_a_cut_download_is_never_served_and_the_next_try_fetches_it_whole(
    memory_address: str, opened: Opened, file: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    opened(memory_address).add(file, "gate", Manifest(), check=accept)
    whole = MemoryFileSystem.get_file

    def cut(self: Any, remote: str, local: str, **extra: Any) -> None:
        Path(local).write_bytes(b"fir")

    def broken(self: Any, remote: str, local: str, **extra: Any) -> None:
        Path(local).write_bytes(b"fir")
        raise ConnectionResetError("reset by peer")

    other = {"cache": tmp_path / "of-another-machine"}
    for way in (cut, broken):
        monkeypatch.setattr(MemoryFileSystem, "get_file", way)
        with pytest.raises(StoreUnavailable):
            opened(memory_address, **other).find("gate")
        assert list((tmp_path / "of-another-machine").rglob("*model*")) == []
    monkeypatch.setattr(MemoryFileSystem, "get_file", whole)
    assert opened(memory_address, **other).find("gate").file.read_bytes() == b"first"


def test_a_store_that_is_away_may_come_back(
    opened: Opened, file: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    import s3fs

    quick = {"config_kwargs": {"connect_timeout": 1, "retries": {"max_attempts": 0}}}
    with s3_server() as endpoint:
        use(monkeypatch, endpoint, **quick)
        s3fs.S3FileSystem().mkdir("fleet")
        opened("s3://fleet").add(file, "gate", Manifest(), check=accept)
    monkeypatch.setattr(s3fs.S3FileSystem, "retries", 1)
    store = opened("s3://fleet")

    for call in (
        store.names,
        lambda: store.find("gate"),
        lambda: store.versions("gate"),
        lambda: store.add(file, "gate", Manifest(), check=accept),
        lambda: store.remove("gate", "1", serving=lambda _: ()),
        lambda: list(store.verify("gate")),
    ):
        with pytest.raises(StoreUnavailable, match="s3://fleet does not answer"):
            call()


@pytest.mark.parametrize(
    ("error", "kind"),
    [
        (PermissionError(13, "Forbidden"), ConfigError),
        (OSError(22, "The bucket is in another region"), ConfigError),
        (NotImplementedError(), ConfigError),
        (ValueError("Invalid endpoint"), ConfigError),
        (ImportError("Install s3fs to access S3"), ConfigError),
        (type("NoCredentialsError", (Exception,), {})("Unable to locate credentials"), ConfigError),
        (TimeoutError(), StoreUnavailable),
        (ConnectionRefusedError(111, "refused"), StoreUnavailable),
        (OSError(16, "SlowDown"), StoreUnavailable),
        (OSError(5, "Internal error"), StoreUnavailable),
        (type("ClientPayloadError", (Exception,), {})("Response payload is not completed"), StoreUnavailable),
    ],
    ids=lambda value: getattr(value, "__name__", None) or f"{type(value).__name__}-{getattr(value, 'errno', '')}",
)
def test_what_never_passes_is_told_from_what_may(
    memory_address: str, opened: Opened, file: Path, monkeypatch: pytest.MonkeyPatch, error: Exception, kind: Any
) -> None:
    opened(memory_address).add(file, "gate", Manifest(), check=accept)

    def fail(*_: Any, **__: Any) -> None:
        raise error

    for method in ("find", "cat_file"):
        with monkeypatch.context() as patched:
            patched.setattr(MemoryFileSystem, method, fail)
            with pytest.raises(kind) as caught:
                opened(memory_address).find("gate")
        assert caught.value.fix


def test_wrong_credentials_are_one_line_with_the_fix(
    s3_endpoint: str, monkeypatch: pytest.MonkeyPatch, opened: Opened
) -> None:
    use(monkeypatch, s3_endpoint, key=None, secret=None)
    for name in ("AWS_ACCESS_KEY_ID", "AWS_PROFILE", "AWS_SHARED_CREDENTIALS_FILE"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("AWS_EC2_METADATA_DISABLED", "true")
    monkeypatch.setenv("AWS_CONFIG_FILE", "/nonexistent")
    monkeypatch.setenv("AWS_SHARED_CREDENTIALS_FILE", "/nonexistent")

    with pytest.raises(ConfigError, match="refuses us") as caught:
        opened("s3://fleet").names()
    assert "credentials" in caught.value.fix


def test_a_bucket_that_is_not_there_is_named(s3_address: str, opened: Opened, file: Path) -> None:
    with pytest.raises(ConfigError, match="does not exist") as caught:
        opened("s3://no-such-bucket/models").add(file, "gate", Manifest(), check=accept)
    assert "make the bucket" in caught.value.fix


@pytest.mark.parametrize(
    ("address", "fix"),
    [
        ("gs://bucket/models", "pip install gcsfs"),
        ("abfs://container/models", "pip install adlfs"),
        ("nonsense://bucket/models", "correct its address"),
    ],
)
def test_an_address_that_cannot_be_opened_says_what_is_missing(opened: Opened, address: str, fix: str) -> None:
    with pytest.raises(ConfigError) as caught:
        opened(address).names()
    assert fix in caught.value.fix


def test_s3_without_its_package_names_the_extra(opened: Opened, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "s3fs", None)
    monkeypatch.delitem(sys.modules["fsspec.registry"]._registry, "s3", raising=False)

    with pytest.raises(ConfigError) as caught:
        opened("s3://fleet/models").names()
    assert "vss-fleet[s3]" in caught.value.fix


def test_a_password_in_an_address_is_never_said(opened: Opened, file: Path) -> None:
    store = opened("ftp://fleet:hunter2@127.0.0.1:9/models")

    assert "hunter2" not in store.shown
    for call in (store.names, lambda: store.add(file, "gate", Manifest(), check=accept)):
        with pytest.raises(StoreUnavailable) as caught:
            call()
        assert "hunter2" not in str(caught.value) + caught.value.fix
        assert "ftp://fleet:***@127.0.0.1:9/models" in str(caught.value)


def test_a_folder_that_could_not_be_listed_is_not_passed_over(opened: Opened, tmp_path: Path, file: Path) -> None:
    """Backends that list folder after folder leave out what fails, and the latest version would be an old one."""
    from fsspec.implementations.local import LocalFileSystem

    class Flaky(LocalFileSystem):  # type: ignore[misc]
        failing = False

        def ls(self, path: str, *arguments: Any, **extra: Any) -> Any:
            if self.failing and path.rstrip("/").endswith("/2"):
                raise ConnectionResetError("reset by peer")
            return super().ls(path, *arguments, **extra)

    (tmp_path / "there").mkdir()
    flaky = Flaky(auto_mkdir=True, skip_instance_cache=True)
    store = opened("memory://not-used")
    place: Any = store.place
    place._opened = (flaky, str(tmp_path / "there"))
    for _ in range(2):
        store.add(file, "gate", Manifest(), check=accept)
    assert store.find("gate").version == "2"

    flaky.failing = True
    with pytest.raises(StoreUnavailable):
        store.find("gate")


def test_a_model_is_resolved_at_the_address_that_the_settings_name(
    remote_address: str, opened: Opened, file: Path, tmp_path: Path
) -> None:
    opened(remote_address).add(file, "gate", Manifest(), check=accept)
    settings = ModelSettings(store=remote_address, download_cache=tmp_path / "fresh")

    ref = resolve_model("gate@1", settings)

    assert (ref.name, ref.version, ref.file.read_bytes()) == ("gate", "1", b"first")
    assert ref.file.is_relative_to(tmp_path / "fresh")


def test_a_file_that_was_changed_in_the_cache_is_fetched_anew(remote_address: str, opened: Opened, file: Path) -> None:
    held = opened(remote_address).add(file, "gate", Manifest(), check=accept).file
    held.chmod(0o644)
    held.write_bytes(b"fires")

    assert opened(remote_address).find("gate").file.read_bytes() == b"first"


def test_a_manifest_that_somebody_else_wrote_meanwhile_must_agree(
    remote_address: str, opened: Opened, file: Path
) -> None:
    def check(_ref: ModelRef) -> None:
        opened(remote_address).add(file, "gate", Manifest(head="yolov8"), check=accept)

    with pytest.raises(ConfigError, match="with other head"):
        opened(remote_address).add(file, "gate", Manifest(head="yolox"), check=check)

    assert opened(remote_address).numbers("gate") == [2]


def test_verify_reads_the_store_and_not_the_cache(remote_address: str, opened: Opened, file: Path) -> None:
    from fsspec.core import url_to_fs

    store = opened(remote_address)
    store.add(file, "gate", Manifest(), check=accept)
    fs, root = url_to_fs(remote_address)
    fs.pipe_file(f"{root}/gate/1/model.onnx", b"other")

    (found,) = store.verify("gate")
    assert "SHA-256 is" in found.problem
    with pytest.raises(ModelCorrupt):
        opened(remote_address, cache=store.place._cache.folder / "fresh").find("gate")  # type: ignore[attr-defined]
