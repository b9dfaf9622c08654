"""What is stored with a version beside its model file, wherever the store lies."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from tests.model_store.storage.conftest import Opened
from tests.model_store.storage.test_every_place import accept, delete, write
from vss.errors import ConfigError, ModelCorrupt, ModelError, ModelNotFound, ModelTooLarge
from vss.model_store.manifest import Manifest
from vss.model_store.resolve import ModelRef
from vss.model_store.storage.limits import MAX_BESIDE_BYTES

CURVES = {"training.png": b"\x89PNG", "training.json": b'{"rows": 3}'}


def test_what_is_stored_with_a_version_is_that_versions_alone(address: str, opened: Opened, file: Path) -> None:
    opened(address).add(file, "pump", Manifest(), check=accept, extras=CURVES)
    opened(address).add(file, "pump", Manifest(), check=accept, extras={"training.json": b"{}"})
    opened(address).add(file, "pump", Manifest(), check=accept)

    store = opened(address)
    assert [store.extras("pump", version) for version in ("1", "2", "3")] == [
        ["training.json", "training.png"], ["training.json"], [],
    ]  # fmt: skip
    assert store.read_extra("pump", "1", "training.png") == CURVES["training.png"]
    assert store.read_extra("pump", "2", "training.json") == b"{}"
    assert store.find("pump", "1").file.read_bytes() == b"first"
    assert [one.file_name for one in store.versions("pump")] == ["model.onnx"] * 3


@pytest.mark.parametrize("name", ["training.csv", "model.onnx", "SHA256SUMS", "../model.yaml", "", "/etc/passwd"])
def test_nothing_else_is_handed_out(address: str, opened: Opened, file: Path, name: str) -> None:
    opened(address).add(file, "pump", Manifest(), check=accept, extras=CURVES)

    with pytest.raises(ModelNotFound) as caught:
        opened(address).read_extra("pump", "latest", name)
    assert caught.value.fix == "there is training.json, training.png with that version"


def test_verify_finds_what_was_changed_beside_a_model(address: str, opened: Opened, file: Path) -> None:
    for _ in range(3):
        opened(address).add(file, "pump", Manifest(), check=accept, extras=CURVES)
    write(opened(address), "pump/1/training.json", b'{"rows": 4}')
    delete(opened(address), "pump/2/training.png")

    first, second, third = opened(address).verify("pump")

    assert "pump/1/training.json is not the file that was stored" in first.problem
    assert "pump/2/training.png" in second.problem
    assert third.problem == ""
    with pytest.raises(ModelCorrupt, match="is not the file that was stored"):
        opened(address).read_extra("pump", "1", "training.json")


def test_what_was_stored_goes_with_its_version(address: str, opened: Opened, file: Path) -> None:
    opened(address).add(file, "pump", Manifest(), check=accept, extras=CURVES)
    opened(address).add(file, "pump", Manifest(), check=accept)

    opened(address).remove("pump", "1", serving=lambda _: ())

    from fsspec.core import url_to_fs

    fs, root = url_to_fs(address if "://" in address else f"file://{address}")
    assert not [path for path in fs.find(root) if "training" in path]
    with pytest.raises(ModelNotFound):
        opened(address).read_extra("pump", "1", "training.png")


def test_a_model_that_fails_the_check_leaves_nothing_beside_it_either(address: str, opened: Opened, file: Path) -> None:
    def refuse(ref: ModelRef) -> None:
        raise ModelError("no")

    with pytest.raises(ModelError):
        opened(address).add(file, "pump", Manifest(), check=refuse, extras=CURVES)

    assert opened(address).numbers("pump") == []
    opened(address).add(file, "pump", Manifest(), check=accept)
    assert opened(address).extras("pump", "latest") == []


@pytest.mark.parametrize(
    "name", ["../training.png", "a/b.png", "Training.png", ".hidden", "", "model.onnx", "model.yaml", "SHA256SUMS"]
)
def test_a_name_that_leads_elsewhere_or_is_taken_is_refused(
    opened: Opened, file: Path, tmp_path: Path, name: str
) -> None:
    with pytest.raises(ConfigError, match="cannot be stored with a version"):
        opened(str(tmp_path / "store")).add(file, "pump", Manifest(), check=accept, extras={name: b"x"})
    assert not (tmp_path / "store").exists()


def test_too_much_is_refused(opened: Opened, file: Path, tmp_path: Path) -> None:
    store = opened(str(tmp_path / "store"))

    with pytest.raises(ConfigError, match="9 files"):
        store.add(file, "pump", Manifest(), check=accept, extras={f"{i}.png": b"" for i in range(9)})
    with pytest.raises(ModelTooLarge, match=r"curves\.png is larger"):
        store.add(file, "pump", Manifest(), check=accept, extras={"curves.png": bytes(MAX_BESIDE_BYTES + 1)})


def test_a_link_out_of_the_store_is_not_followed(opened: Opened, file: Path, tmp_path: Path) -> None:
    store = opened(str(tmp_path / "store"))
    store.add(file, "pump", Manifest(), check=accept, extras=CURVES)
    secret = tmp_path / "secret"
    secret.write_bytes(CURVES["training.png"])
    stored = tmp_path / "store" / "pump" / "1" / "training.png"
    assert not os.access(stored, os.W_OK) or os.geteuid() == 0
    assert stored.stat().st_mode & 0o222 == 0
    stored.unlink()
    stored.symlink_to(secret)

    with pytest.raises(ModelNotFound, match="leads out"):
        store.read_extra("pump", "1", "training.png")
    (found,) = store.verify("pump")
    assert "leads out" in found.problem
