from __future__ import annotations

import hashlib
from pathlib import Path

import pytest

from vss.config import ModelSettings
from vss.errors import ConfigError, ModelCorrupt, ModelNotFound
from vss.model_store.resolve import ModelRef
from vss.model_store.resolve import resolve_model as resolve_with

CONTENT = b"pretend this is a model"


def resolve_model(spec: str, store: Path) -> ModelRef:
    return resolve_with(spec, ModelSettings(store=str(store)))


def put(store: Path, name: str, *versions: int, content: bytes = CONTENT) -> None:
    for version in versions:
        folder = store / name / str(version)
        folder.mkdir(parents=True)
        (folder / "model.onnx").write_bytes(content)
        (folder / "SHA256SUMS").write_text(f"{hashlib.sha256(content).hexdigest()}  model.onnx\n")


@pytest.fixture
def store(tmp_path: Path) -> Path:
    store = tmp_path / "store"
    put(store, "gate", 1, 2, 10)
    return store


@pytest.mark.parametrize(
    ("spec", "version"), [("gate", "10"), ("gate@latest", "10"), ("gate@2", "2"), ("gate@10", "10")]
)
def test_a_name_means_its_highest_version_unless_one_is_named(store: Path, spec: str, version: str) -> None:
    ref = resolve_model(spec, store)

    assert (ref.name, ref.version) == ("gate", version)
    assert ref.file == store / "gate" / version / "model.onnx"


def test_the_manifest_of_the_name_holds_for_every_version(store: Path) -> None:
    (store / "gate" / "model.yaml").write_text("head: yolox")

    assert resolve_model("gate@1", store).manifest.head == "yolox"
    assert resolve_model("gate@10", store).manifest.head == "yolox"


def test_what_is_not_named_as_a_version_is_none(store: Path) -> None:
    for name in ("011", "0", "v12", ".adding-99", "99.bak", "٣"):
        (store / "gate" / name).mkdir()
    (store / "gate" / "77").write_text("a file")

    assert resolve_model("gate", store).version == "10"


@pytest.mark.parametrize("version", ["3", "0", "01", "-1", "", "two", "../2", "1/../2"])
def test_an_unknown_version_is_refused_and_the_known_ones_are_named(store: Path, version: str) -> None:
    spec = f"gate@{version}"
    with pytest.raises(ModelNotFound) as caught:
        resolve_model(spec, store)
    if "/" not in spec:
        assert "1, 2, 10" in caught.value.fix


def test_an_unknown_name_is_refused_with_the_nearest_known_one(store: Path) -> None:
    with pytest.raises(ModelNotFound) as caught:
        resolve_model("gaet", store)
    assert caught.value.fix == "did you mean gate?"


def test_an_unknown_name_in_an_absent_store_says_how_to_add_one(tmp_path: Path) -> None:
    with pytest.raises(ModelNotFound) as caught:
        resolve_model("gate", tmp_path / "none")
    assert "vss models add" in caught.value.fix


@pytest.mark.parametrize("name", ["..", ".", ".hidden", "-gate", "Gate", "ga te", "gate\0", "gäte", "", "a" * 101])
def test_a_name_that_is_none_is_never_looked_up(store: Path, name: str) -> None:
    put(store.parent, "outside", 1)

    with pytest.raises(ModelNotFound):
        resolve_model(name, store)


@pytest.mark.parametrize("name", ["../outside", "gate/../../outside", "/outside", "gate\\..\\..\\outside"])
def test_a_path_is_never_taken_for_a_name_of_the_store(store: Path, name: str) -> None:
    put(store.parent, "outside", 1)

    with pytest.raises(ModelNotFound, match="no such model file"):
        resolve_model(name, store)


@pytest.mark.parametrize("linked", ["gate", "gate/2", "gate/2/model.onnx", "gate/2/SHA256SUMS", "gate/model.yaml"])
def test_a_link_that_leads_out_of_the_store_is_refused(tmp_path: Path, linked: str) -> None:
    outside, store = tmp_path / "outside", tmp_path / "store"
    for place in (outside, store):
        put(place, "gate", 2)
        (place / "gate" / "model.yaml").write_text("head: yolox")
    assert resolve_model("gate", store).version == "2"
    original = store / linked
    original.rename(tmp_path / "put-aside")
    original.symlink_to(outside / linked)

    with pytest.raises(ModelNotFound, match="leads out of the model store"):
        resolve_model("gate@2", store)


def test_a_link_within_the_store_and_a_store_behind_a_link_work(store: Path) -> None:
    (store / "gate" / "11").symlink_to("2")
    (store.parent / "link").symlink_to(store)

    assert resolve_model("gate", store.parent / "link").version == "11"


def test_a_link_to_itself_is_refused(store: Path) -> None:
    (store / "loop").symlink_to("loop")

    with pytest.raises(ModelNotFound):
        resolve_model("loop", store)
    assert resolve_model("gate", store).version == "10"


def test_a_file_that_differs_from_its_checksum_is_refused(store: Path) -> None:
    (store / "gate" / "10" / "model.onnx").write_bytes(CONTENT + b"!")

    with pytest.raises(ModelCorrupt, match="not the file that was stored") as caught:
        resolve_model("gate", store)
    assert caught.value.fix
    assert resolve_model("gate@2", store).version == "2"


@pytest.mark.parametrize("sums", [None, "", "nonsense\n", "0" * 64 + "  other.onnx\n", "\xff"])
def test_a_version_without_a_checksum_of_its_file_is_refused(store: Path, sums: str | None) -> None:
    path = store / "gate" / "10" / "SHA256SUMS"
    path.unlink()
    if sums is not None:
        path.write_text(sums, encoding="latin-1")

    with pytest.raises(ModelCorrupt, match="SHA256SUMS"):
        resolve_model("gate", store)


def test_a_version_without_its_file_is_refused(store: Path) -> None:
    (store / "gate" / "10" / "model.onnx").unlink()

    with pytest.raises(ModelCorrupt, match=r"version 10 of gate has no model\.onnx"):
        resolve_model("gate", store)


def test_a_path_is_a_model_named_after_its_file_with_its_content_as_version(tmp_path: Path) -> None:
    file = tmp_path / "My Best_v2.onnx"
    file.write_bytes(CONTENT)

    ref = resolve_model(str(file), tmp_path / "store")

    assert ref.name == "my-best_v2"
    assert ref.version == hashlib.sha256(CONTENT).hexdigest()[:12]
    assert ref.file == file


def test_a_bare_file_name_is_a_path_too(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "yolo.ONNX").write_bytes(CONTENT)
    monkeypatch.chdir(tmp_path)

    assert resolve_model("yolo.ONNX", tmp_path / "store").name == "yolo"


def test_the_manifest_beside_a_file_is_read_and_the_one_of_its_own_name_first(tmp_path: Path) -> None:
    file = tmp_path / "yolo.onnx"
    file.write_bytes(CONTENT)
    assert resolve_model(str(file), tmp_path).manifest.head == "auto"

    (tmp_path / "model.yaml").write_text("head: yolox")
    assert resolve_model(str(file), tmp_path).manifest.head == "yolox"

    (tmp_path / "yolo.yaml").write_text("head: yolov5")
    assert resolve_model(str(file), tmp_path).manifest.head == "yolov5"

    (tmp_path / "yolo.yaml").write_text("hed: yolov5")
    with pytest.raises(ConfigError, match=r"yolo\.yaml: unknown key hed"):
        resolve_model(str(file), tmp_path)


def test_a_path_without_a_file_is_refused(tmp_path: Path) -> None:
    (tmp_path / "folder.onnx").mkdir()

    for path in ("none.onnx", "folder.onnx"):
        with pytest.raises(ModelNotFound, match="no such model file") as caught:
            resolve_model(str(tmp_path / path), tmp_path)
        assert caught.value.fix
