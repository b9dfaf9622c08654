"""What a store promises wherever it lies: a folder, fsspec's memory, an S3 server."""

from __future__ import annotations

import hashlib
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from tests.model_store.storage.conftest import Opened
from vss.errors import ConfigError, ModelCorrupt, ModelNotFound, ModelTooLarge, ModelUnsupported
from vss.model_store.manifest import Manifest, SmokeSpec
from vss.model_store.resolve import ModelRef
from vss.model_store.store import ModelStore


def accept(_ref: ModelRef) -> None:
    pass


def write(store: ModelStore, path: str, content: bytes) -> None:
    """Writes behind the store's back."""
    from fsspec.core import url_to_fs

    address = store.shown if "://" in store.shown else f"file://{store.shown}"
    fs, root = url_to_fs(address)
    whole = f"{root}/{path}"
    fs.makedirs(whole.rpartition("/")[0], exist_ok=True)
    if fs.exists(whole):
        fs.rm(whole)
    fs.pipe_file(whole, content)


def delete(store: ModelStore, path: str) -> None:
    from fsspec.core import url_to_fs

    fs, root = url_to_fs(store.shown if "://" in store.shown else f"file://{store.shown}")
    fs.rm(f"{root}/{path}")


def test_versions_count_up_and_latest_is_the_highest(address: str, opened: Opened, file: Path) -> None:
    assert opened(address).add(file, "gate", Manifest(), check=accept).version == "1"
    file.write_bytes(b"second")
    last = 3 if address.startswith("s3") else 11  # that 10 comes after 9 is no matter of the place
    for expected in range(2, last + 1):
        assert opened(address).add(file, "gate", Manifest(), check=accept).version == str(expected)
    opened(address).add(file, "gate-2", Manifest(), check=accept)

    store = opened(address)
    assert store.names() == ["gate", "gate-2"]
    assert store.numbers("gate") == list(range(1, last + 1))
    assert store.find("gate").version == str(last)
    assert store.find("gate", "1").file.read_bytes() == b"first"
    assert store.find("gate", "2").file.read_bytes() == b"second"
    assert store.find("gate", "2").file.name == "model.onnx"


def test_a_version_is_described_by_what_was_stored(address: str, opened: Opened, file: Path) -> None:
    before_ns = time.time_ns()
    opened(address).add(file, "gate", Manifest(), check=accept)

    (held,) = opened(address).versions("gate")

    assert (held.version, held.size_bytes, held.file_name) == (1, 5, "model.onnx")
    assert held.sha256 == hashlib.sha256(b"first").hexdigest()
    assert abs(held.added_ns - before_ns) < 60 * 10**9


def test_a_store_nobody_has_added_to_is_empty(address: str, opened: Opened) -> None:
    store = opened(address)

    assert store.names() == []
    assert store.numbers("gate") == []
    assert store.versions("gate") == []
    with pytest.raises(ModelNotFound, match="no model 'gate'"):
        store.find("gate")


def test_an_unknown_version_is_refused_and_the_known_ones_are_named(address: str, opened: Opened, file: Path) -> None:
    opened(address).add(file, "gate", Manifest(), check=accept)

    for version in ("2", "0", "01", "../1", "", "1/../1"):
        with pytest.raises(ModelNotFound) as caught:
            opened(address).find("gate", version)
        assert caught.value.fix == "versions of gate: 1"


def test_a_name_that_is_none_is_never_looked_up_nor_added(address: str, opened: Opened, file: Path) -> None:
    store = opened(address)
    store.add(file, "gate", Manifest(), check=accept)

    for name in ("..", ".", "../gate", "gate/..", "gate/1", "/gate", "Gate", "ga te", "gate\0", "", "%2e%2e"):
        with pytest.raises(ModelNotFound):
            store.find(name)
        with pytest.raises(ConfigError, match="no model name"):
            store.add(file, name, Manifest(), check=accept)
        with pytest.raises(ModelNotFound):
            store.remove(name, "1", serving=lambda _: ())
        with pytest.raises(ModelNotFound):
            list(store.verify(name))
    assert store.names() == ["gate"]


def test_a_model_that_fails_the_check_leaves_nothing_and_its_number_to_the_next(
    address: str, opened: Opened, file: Path
) -> None:
    def check(ref: ModelRef) -> None:
        assert ref.file.read_bytes() == b"first"
        raise ModelUnsupported(f"{ref.file} has no head we know")

    with pytest.raises(ModelUnsupported, match=r"best\.onnx has no head"):
        opened(address).add(file, "gate", Manifest(head="yolox"), check=check)

    assert opened(address).names() == []
    assert opened(address).add(file, "gate", Manifest(), check=accept).version == "1"


def test_adds_at_once_get_versions_of_their_own(address: str, opened: Opened, file: Path) -> None:
    with ThreadPoolExecutor(6) as pool:
        refs = list(pool.map(lambda _: opened(address).add(file, "gate", Manifest(), check=accept), range(6)))

    assert len({ref.version for ref in refs}) == 6
    assert opened(address).numbers("gate") == sorted(int(ref.version) for ref in refs)


def test_the_manifest_of_the_first_add_holds_for_every_version(address: str, opened: Opened, file: Path) -> None:
    said = Manifest(labels=("bolt", "nut"), head="yolox")
    opened(address).add(file, "gate", said, check=accept)

    assert opened(address).add(file, "gate", Manifest(), check=accept).manifest == said
    assert opened(address).find("gate", "1").manifest == said
    with pytest.raises(ConfigError, match="with other labels"):
        opened(address).add(file, "gate", Manifest(labels=("bolt",)), check=accept)
    assert opened(address).numbers("gate") == [1, 2]


def test_a_manifest_with_an_unknown_key_is_refused_with_the_nearest_known_one(
    address: str, opened: Opened, file: Path
) -> None:
    store = opened(address)
    store.add(file, "gate", Manifest(), check=accept)
    write(store, "gate/model.yaml", b"haed: yolox")

    with pytest.raises(ConfigError, match="unknown key haed") as caught:
        opened(address).find("gate")
    assert caught.value.fix == "did you mean head?"
    assert "gate/model.yaml" in str(caught.value)


def test_the_smoke_picture_goes_where_the_manifest_lies(
    address: str, opened: Opened, file: Path, tmp_path: Path
) -> None:
    (tmp_path / "night.jpg").write_bytes(b"a picture")
    manifest = Manifest(smoke=SmokeSpec(image="smoke.jpg", expect=("bolt",)))
    seen: list[ModelRef] = []
    opened(address).add(file, "gate", manifest, check=seen.append, smoke=tmp_path / "night.jpg")
    opened(address).add(file, "gate", Manifest(), check=seen.append)

    for ref in (*seen[1:], opened(address).find("gate", "1"), opened(address).find("gate", "2")):
        assert ref.smoke is not None
        assert ref.smoke.read_bytes() == b"a picture"
    # As quantisation does, which knows the manifest and has made a file elsewhere.
    (tmp_path / "elsewhere").mkdir()
    made = file.rename(tmp_path / "elsewhere" / "made.onnx")
    assert opened(address).add(made, "gate", seen[0].manifest, check=accept).version == "3"
    with pytest.raises(ConfigError, match=r"elsewhere/smoke\.jpg, the smoke picture"):
        opened(address).add(made, "other", seen[0].manifest, check=accept)

    file = made
    (tmp_path / "night.jpg").write_bytes(b"another")
    with pytest.raises(ConfigError, match="with other smoke picture"):
        opened(address).add(file, "gate", manifest, check=accept, smoke=tmp_path / "night.jpg")


def test_a_smoke_picture_that_is_gone_is_refused_with_its_place(address: str, opened: Opened, file: Path) -> None:
    store = opened(address)
    store.add(file, "gate", Manifest(), check=accept)
    write(store, "gate/model.yaml", b"smoke: {image: dusk.png}")

    with pytest.raises(ConfigError, match=r"gate/dusk\.png, the smoke picture"):
        opened(address).find("gate")


def test_verify_finds_the_one_version_that_was_changed(address: str, opened: Opened, file: Path) -> None:
    store = opened(address)
    for _ in range(3):
        store.add(file, "gate", Manifest(), check=accept)
    write(store, "gate/2/model.onnx", b"other")
    delete(store, "gate/3/model.onnx")

    found = {one.version: one.problem for one in opened(address).verify("gate")}

    assert found[1] == ""
    assert "SHA-256 is" in found[2]
    assert "has no model.onnx" in found[3]
    assert [one.problem for one in opened(address).verify("gate", "1")] == [""]


def test_a_changed_file_is_never_served(address: str, opened: Opened, file: Path, tmp_path: Path) -> None:
    store = opened(address)
    store.add(file, "gate", Manifest(), check=accept)
    for content in (b"other", b"longer than before", b""):
        write(store, "gate/1/model.onnx", content)
        with pytest.raises(ModelCorrupt, match="not the file that was stored"):
            opened(address, cache=tmp_path / f"empty-{len(content)}").find("gate")


def test_a_version_without_the_checksum_of_its_file_is_never_served(address: str, opened: Opened, file: Path) -> None:
    store = opened(address)
    store.add(file, "gate", Manifest(), check=accept)

    for sums in (b"", b"nonsense\n", b"0" * 64 + b"  other.onnx\n", b"\xff"):
        write(store, "gate/1/SHA256SUMS", sums)
        with pytest.raises(ModelCorrupt, match="SHA256SUMS"):
            opened(address).find("gate")
    delete(store, "gate/1/SHA256SUMS")
    with pytest.raises((ModelCorrupt, ModelNotFound)):
        opened(address).find("gate")


def test_a_removed_version_is_gone_and_its_number_is_never_given_again(
    address: str, opened: Opened, file: Path
) -> None:
    for _ in range(3):
        opened(address).add(file, "gate", Manifest(), check=accept)

    assert opened(address).remove("gate", "3", serving=lambda _: ("1",)) == 3
    assert opened(address).numbers("gate") == [1, 2]
    assert opened(address).find("gate").version == "2"
    with pytest.raises(ModelNotFound):
        opened(address).find("gate", "3")
    with pytest.raises(ModelNotFound):
        opened(address).remove("gate", "3", serving=lambda _: ())
    assert opened(address).add(file, "gate", Manifest(), check=accept).version == "4"


def test_the_active_version_is_not_removed(address: str, opened: Opened, file: Path) -> None:
    store = opened(address)
    store.add(file, "gate", Manifest(), check=accept)

    active = {"gate": ("1",)}
    with pytest.raises(ConfigError, match="gate@1 is active") as caught:
        store.remove("gate", "1", serving=lambda name: active[name])
    assert "vss models activate" in caught.value.fix
    assert store.find("gate").version == "1"


def test_with_the_last_version_goes_the_model_and_what_its_manifest_said(
    address: str, opened: Opened, file: Path
) -> None:
    opened(address).add(file, "gate", Manifest(head="yolox"), check=accept)
    opened(address).remove("gate", "1", serving=lambda _: ())

    assert opened(address).names() == []
    ref = opened(address).add(file, "gate", Manifest(head="yolov8"), check=accept)
    assert (ref.version, ref.manifest.head) == ("2", "yolov8")


def test_a_file_above_the_limit_is_neither_added_nor_loaded(address: str, opened: Opened, file: Path) -> None:
    with pytest.raises(ModelTooLarge) as caught:
        opened(address, max_file_bytes=4).add(file, "gate", Manifest(), check=accept)
    assert caught.value.fix == "raise model.max_file_bytes"
    assert opened(address).names() == []

    opened(address).add(file, "gate", Manifest(), check=accept)
    with pytest.raises(ModelTooLarge):
        opened(address, max_file_bytes=4).find("gate")


def test_what_is_not_named_as_a_version_or_model_is_none(address: str, opened: Opened, file: Path) -> None:
    store = opened(address)
    store.add(file, "gate", Manifest(), check=accept)
    sums = f"{hashlib.sha256(b'first').hexdigest()}  model.onnx\n".encode()
    for folder in (
        "gate/011",
        "gate/0",
        "gate/v12",
        "gate/.adding-9",
        "gate/99.bak",
        "Gate/1",
        ".hidden/1",
        "gate/7/deep",
    ):
        write(store, f"{folder}/SHA256SUMS", sums)
    delete(store, "gate/7/deep/SHA256SUMS")
    write(store, "README", b"mine")

    found = opened(address)
    assert found.names() == ["gate"]
    assert [number for number in found.numbers("gate") if number != 7] == [1]
