from __future__ import annotations

import hashlib
import multiprocessing
import os
import signal
import subprocess
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from vss.errors import ConfigError, ModelCorrupt, ModelNotFound, ModelUnsupported
from vss.model_store.manifest import InputSpec, Manifest
from vss.model_store.resolve import ModelRef
from vss.model_store.storage.folder import FolderPlace
from vss.model_store.store import ModelStore


def accept(_ref: ModelRef) -> None:
    pass


def store_in(folder: Path) -> ModelStore:
    return ModelStore(str(folder), cache=folder / "never-used")


def folder_of(store: ModelStore) -> Path:
    assert isinstance(store.place, FolderPlace)
    return store.place.folder


def snapshot(folder: Path) -> dict[str, bytes | None]:
    return {
        str(path.relative_to(folder)): path.read_bytes() if path.is_file() else None
        for path in folder.rglob("*")
        if path.name != ".lock"
    }


@pytest.fixture
def file(tmp_path: Path) -> Path:
    path = tmp_path / "best.onnx"
    path.write_bytes(b"first")
    return path


@pytest.fixture
def store(tmp_path: Path) -> ModelStore:
    return store_in(tmp_path / "deep" / "store")


def test_versions_count_up_and_latest_is_the_highest(store: ModelStore, file: Path) -> None:
    assert store.add(file, "gate", Manifest(), check=accept).version == "1"
    file.write_bytes(b"second")
    for expected in range(2, 12):
        assert store.add(file, "gate", Manifest(), check=accept).version == str(expected)

    assert store.names() == ["gate"]
    assert [held.version for held in store.versions("gate")] == list(range(1, 12))
    assert store.find("gate").version == "11"
    assert store.find("gate", "1").file.read_bytes() == b"first"
    assert store.find("gate", "2").file.read_bytes() == b"second"


def test_a_version_is_described_by_what_was_stored(store: ModelStore, file: Path) -> None:
    store.add(file, "gate", Manifest(), check=accept)

    (held,) = store.versions("gate")

    assert (held.version, held.size_bytes) == (1, 5)
    assert held.sha256 == hashlib.sha256(b"first").hexdigest()
    assert held.added_ns == store.find("gate").file.stat().st_mtime_ns


def test_the_checksums_can_be_checked_with_sha256sum(store: ModelStore, file: Path) -> None:
    ref = store.add(file, "gate", Manifest(), check=accept)

    command = ["sha256sum", "--check", "--strict", "SHA256SUMS"]
    assert subprocess.run(command, cwd=ref.file.parent, check=False, capture_output=True).returncode == 0


def test_the_copy_is_what_is_checked(store: ModelStore, file: Path) -> None:
    def check(ref: ModelRef) -> None:
        assert ref.file != file
        assert ref.file.read_bytes() == b"first"
        assert (ref.name, ref.version, ref.manifest.head) == ("gate", "1", "yolox")
        checked.append(ref)

    checked: list[ModelRef] = []
    store.add(file, "gate", Manifest(head="yolox"), check=check)

    assert len(checked) == 1


def test_a_model_that_fails_the_check_leaves_nothing(store: ModelStore, file: Path) -> None:
    def check(_ref: ModelRef) -> None:
        raise ModelUnsupported("no head we know")

    with pytest.raises(ModelUnsupported):
        store.add(file, "gate", Manifest(), check=check)

    assert snapshot(folder_of(store)) == {}
    assert store.names() == []


def _kill_inside_add(folder: Path, file: Path) -> None:
    def die(_ref: ModelRef) -> None:
        os.kill(os.getpid(), signal.SIGKILL)

    store_in(folder).add(file, "gate", Manifest(), check=die)


def test_an_interrupted_add_leaves_no_half_version_and_the_next_clears_it_away(store: ModelStore, file: Path) -> None:
    store.add(file, "gate", Manifest(), check=accept)
    before = snapshot(folder_of(store))
    victim = multiprocessing.get_context("spawn").Process(target=_kill_inside_add, args=(folder_of(store), file))
    victim.start()
    victim.join(60)
    assert victim.exitcode == -9
    left = snapshot(folder_of(store))
    assert set(left) > set(before), "the process died before it had written anything"

    assert [held.version for held in store.versions("gate")] == [1]
    assert store.find("gate").version == "1"

    assert store.add(file, "gate", Manifest(), check=accept).version == "2"
    assert {path for path in snapshot(folder_of(store)) if path.startswith(".")} == set()


def test_adds_at_once_get_versions_of_their_own(store: ModelStore, file: Path) -> None:
    with ThreadPoolExecutor(8) as pool:
        refs = list(
            pool.map(lambda _: store_in(folder_of(store)).add(file, "gate", Manifest(), check=accept), range(16))
        )

    assert sorted(int(ref.version) for ref in refs) == list(range(1, 17))
    assert {path for path in snapshot(folder_of(store)) if path.startswith(".")} == set()


def test_a_stored_file_is_not_writable(store: ModelStore, file: Path) -> None:
    assert store.add(file, "gate", Manifest(), check=accept).file.stat().st_mode & 0o222 == 0


def test_what_was_said_on_the_first_add_is_kept_for_all_versions(store: ModelStore, file: Path) -> None:
    said = Manifest(labels=("bolt", "nut", "no", "0"), input=InputSpec(pad=0))
    assert store.add(file, "gate", said, check=accept).manifest == said

    assert store.add(file, "gate", Manifest(), check=accept).manifest == said
    assert store.add(file, "gate", Manifest(labels=said.labels), check=accept).manifest == said
    assert "task: detection" in (folder_of(store) / "gate" / "model.yaml").read_text()


def test_a_manifest_is_never_changed_under_the_versions_that_have_it(store: ModelStore, file: Path) -> None:
    store.add(file, "gate", Manifest(labels=("bolt",)), check=accept)
    before = snapshot(folder_of(store))

    other = Manifest(labels=("nut",), head="yolox", input=InputSpec(pad=0, width=320))
    with pytest.raises(ConfigError, match="with other") as caught:
        store.add(file, "gate", other, check=accept)

    assert {"labels", "head", "input.width", "input.pad"} <= set(str(caught.value).replace(",", " ").split())
    assert "model.yaml" in caught.value.fix
    assert snapshot(folder_of(store)) == before


def test_a_manifest_that_a_user_wrote_beforehand_is_kept(store: ModelStore, file: Path) -> None:
    (folder_of(store) / "gate").mkdir(parents=True)
    (folder_of(store) / "gate" / "model.yaml").write_text("head: yolox  # mine\n")

    assert store.add(file, "gate", Manifest(), check=accept).manifest.head == "yolox"
    assert "# mine" in (folder_of(store) / "gate" / "model.yaml").read_text()


@pytest.mark.parametrize(
    "name", ["", "..", "../x", "/x", "a/b", "A", ".a", "a b", "a\n", "yolo.onnx", "a@1", "a" * 101]
)
def test_a_name_that_is_none_is_refused_with_one_that_is(store: ModelStore, file: Path, name: str) -> None:
    with pytest.raises(ConfigError, match="no model name") as caught:
        store.add(file, name, Manifest(), check=accept)

    suggested = caught.value.fix.rpartition(" ")[2]
    assert store.add(file, suggested, Manifest(), check=accept).version == "1"


def test_a_missing_file_is_refused(store: ModelStore, tmp_path: Path) -> None:
    for path in (tmp_path / "none.onnx", tmp_path):
        with pytest.raises(ModelNotFound, match="no such model file"):
            store.add(path, "gate", Manifest(), check=accept)
    assert not folder_of(store).exists()


def test_weights_of_a_framework_are_refused_with_the_export_command(store: ModelStore, tmp_path: Path) -> None:
    weights = tmp_path / "best.engine"
    weights.write_bytes(b"PK")

    with pytest.raises(ModelUnsupported, match="no ONNX file") as caught:
        store.add(weights, "gate", Manifest(), check=accept)
    assert "export it" in caught.value.fix


def test_a_store_that_cannot_be_written_is_one_line_with_the_fix(tmp_path: Path, file: Path) -> None:
    (tmp_path / "taken").write_text("a file, no folder")

    for folder in (tmp_path / "taken", tmp_path / "taken" / "store", Path("/proc/store")):
        with pytest.raises(ConfigError, match="cannot write to the model store") as caught:
            store_in(folder).add(file, "gate", Manifest(), check=accept)
        assert "--store" in caught.value.fix


def test_a_model_folder_that_links_out_is_never_written_to(store: ModelStore, file: Path, tmp_path: Path) -> None:
    outside = tmp_path / "outside"
    outside.mkdir()
    folder_of(store).mkdir(parents=True)
    (folder_of(store) / "gate").symlink_to(outside)

    with pytest.raises(ModelNotFound, match="leads out"):
        store.add(file, "gate", Manifest(), check=accept)

    assert list(outside.iterdir()) == []
    assert store.names() == []


def test_a_manifest_that_links_out_is_never_written_to(store: ModelStore, file: Path, tmp_path: Path) -> None:
    (folder_of(store) / "gate").mkdir(parents=True)
    (folder_of(store) / "gate" / "model.yaml").symlink_to(tmp_path / "victim")

    with pytest.raises(ModelNotFound, match="leads out"):
        store.add(file, "gate", Manifest(), check=accept)

    assert not (tmp_path / "victim").exists()


def test_a_version_whose_file_is_gone_is_corrupt(store: ModelStore, file: Path) -> None:
    store.add(file, "gate", Manifest(), check=accept).file.unlink()

    with pytest.raises(ModelCorrupt):
        store.versions("gate")


def test_an_empty_or_absent_store_has_no_models(store: ModelStore) -> None:
    assert store.names() == []
    folder_of(store).mkdir(parents=True)
    (folder_of(store) / "no-versions").mkdir()
    (folder_of(store) / "README").write_text("mine")
    assert store.names() == []
