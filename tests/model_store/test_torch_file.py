from __future__ import annotations

import contextlib
import gzip
import io
import tarfile
import zipfile
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tests.model_store.torch_pickles import (
    MARK,
    PROTO,
    STOP,
    TUPLE1,
    calls,
    named,
    state_dict,
    text,
    write_legacy,
    write_zip,
)
from vss.config import ModelSettings
from vss.errors import ModelCorrupt, ModelError, ModelUnsafe, ModelUnsupported
from vss.model_store.file_kind import stored_name
from vss.model_store.layout import MODEL_FILES
from vss.model_store.manifest import Manifest
from vss.model_store.resolve import resolve_model
from vss.model_store.store import ModelStore
from vss.model_store.torch_file import check_torch_file

CODE = {
    "a function of the system": calls("os", "system", "touch HERE"),
    "under its other name": calls("posix", "system", "touch HERE"),
    "a builtin": calls("builtins", "eval", "open('HERE', 'w')"),
    "a builtin of Python 2": calls("__builtin__", "exec", "open('HERE', 'w')"),
    "in torch itself": calls("torch", "load", "HERE"),
    "below an allowed module": calls("torch._utils", "_import_dotted_name", "os"),
    "below an allowed class": calls("collections", "OrderedDict.__init__", "HERE"),
    "with a storage's name around it": calls("torch.storage", "_load_from_bytes", "HERE"),
    "a whole module, as torch.save(model) writes": PROTO + named("torch.nn.modules.conv", "Conv2d") + b")\x81" + STOP,
    "among weights": state_dict(text("extra"), named("os", "system") + text("touch HERE") + TUPLE1 + b"R"),
    "named on the stack": b"\x80\x04\x8c\x02os\x8c\x06system\x93" + text("touch HERE") + TUPLE1 + b"R" + STOP,
    "in the oldest way": MARK + b"S'touch HERE'\n" + b"ios\nsystem\n" + STOP,
    "in the second oldest way": MARK + named("os", "system") + text("touch HERE") + b"o" + STOP,
    "by a number": PROTO + b"\x82\x01" + STOP,
    "a line as an object's name": PROTO + b"Pos.system\n" + STOP,
}


@pytest.fixture(autouse=True)
def _nothing_runs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> object:
    monkeypatch.chdir(tmp_path)
    yield
    assert not (tmp_path / "HERE").exists(), "it ran"


def test_state_dicts_of_both_formats_are_taken(tmp_path: Path) -> None:
    assert check_torch_file(write_zip(tmp_path / "a.pth", state_dict())) == "model.pth"
    assert check_torch_file(write_legacy(tmp_path / "b.th", state_dict())) == "model.pth"


def test_a_checkpoint_with_plain_data_beside_the_weights_is_taken(tmp_path: Path) -> None:
    plain = state_dict(text("epoch"), b"K\x03", text("lr"), b"G?\xb9\x99\x99\x99\x99\x99\x9a", text("names"), b"]")

    assert check_torch_file(write_zip(tmp_path / "a.pth", plain)) == "model.pth"


def test_a_real_state_dict_is_taken(shared_data: Path) -> None:
    assert check_torch_file(shared_data / "models" / "resnet20_cifar10.th") == "model.pth"


@pytest.mark.parametrize("pickled", CODE.values(), ids=CODE.keys())
@pytest.mark.parametrize("suffix", [".pth", ".pt", ".th", ".pt2"])
def test_a_file_that_carries_code_is_refused_and_none_of_it_runs(tmp_path: Path, pickled: bytes, suffix: str) -> None:
    for path in (
        write_zip(tmp_path / f"zip{suffix}", pickled),
        write_zip(tmp_path / f"beside{suffix}", state_dict(), archive__extra_pkl=b"", **{"archive__more.pkl": pickled}),
        write_legacy(tmp_path / f"legacy{suffix}", pickled),
        write_legacy(tmp_path / f"first{suffix}", state_dict(), first=pickled),
    ):
        with pytest.raises(ModelUnsafe, match="carries code") as caught:
            check_torch_file(path)
        assert caught.value.fix


def test_the_refusal_names_what_would_be_called(tmp_path: Path) -> None:
    with pytest.raises(ModelUnsafe, match=r"would call os\.system"):
        check_torch_file(write_zip(tmp_path / "a.pth", calls("os", "system", "touch HERE")))
    with pytest.raises(ModelUnsafe) as caught:
        check_torch_file(write_zip(tmp_path / "best.pt", calls("ultralytics.nn.tasks", "DetectionModel", "")))
    assert f"yolo export model={tmp_path / 'best.pt'} format=onnx" in caught.value.fix


def test_code_is_refused_before_anything_is_in_the_store(tmp_path: Path) -> None:
    store = ModelStore(str(tmp_path / "store"), cache=tmp_path / "cache")
    path = write_zip(tmp_path / "a.pth", calls("os", "system", "touch HERE"))

    with pytest.raises(ModelUnsafe):
        store.add(path, "gate", Manifest(), check=lambda _: pytest.fail("it was about to be loaded"))
    assert not (tmp_path / "store").exists()


def test_code_outside_the_store_is_not_loaded_either(tmp_path: Path) -> None:
    path = write_zip(tmp_path / "a.pth", calls("os", "system", "touch HERE"))

    with pytest.raises(ModelUnsafe, match=r"would call os\.system"):
        resolve_model(str(path), ModelSettings())


def test_torchscript_is_taken_only_under_the_suffix_that_promises_a_program(tmp_path: Path) -> None:
    script = {
        "archive__code____torch____net.py": b"def forward(self): ...",
        "archive__constants.pkl": PROTO + b")" + STOP,
    }
    assert check_torch_file(write_zip(tmp_path / "a.pt", PROTO + b")" + STOP, **script)) == "model.pt"

    for name in ("a.pth", "a.th", "a.pt2"):
        with pytest.raises(ModelUnsafe, match="TorchScript") as caught:
            check_torch_file(write_zip(tmp_path / name, state_dict(), **script))
        assert "name it .pt" in caught.value.fix


def exported(path: Path, samples: bytes, **more: bytes) -> Path:
    inner = io.BytesIO()
    with zipfile.ZipFile(inner, "w") as archive:
        archive.writestr("archive/data.pkl", samples)
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("net/archive_format", b"pt2")
        archive.writestr("net/models/model.json", b"{}")
        archive.writestr("net/data/sample_inputs/model.pt", inner.getvalue())
        for name, content in more.items():
            archive.writestr(name.replace("__", "/"), content)
    return path


def test_exported_programs_are_taken_and_looked_into(tmp_path: Path) -> None:
    assert check_torch_file(exported(tmp_path / "a.pt2", state_dict())) == "model.pt2"

    with pytest.raises(ModelUnsafe, match=r"would call os\.system"):
        check_torch_file(exported(tmp_path / "b.pt2", calls("os", "system", "touch HERE")))
    with pytest.raises(ModelUnsafe, match="compiled program"):
        check_torch_file(
            exported(tmp_path / "c.pt2", state_dict(), **{"net__data__aotinductor__model__a.so": b"\x7fELF"})
        )
    with pytest.raises(ModelUnsafe, match="compiled program"):
        check_torch_file(exported(tmp_path / "d.pt2", state_dict(), net__data__constants__custom_obj_0=b"x"))
    nested = write_zip(tmp_path / "script.pt", state_dict(), **{"archive__code__a.py": b""}).read_bytes()
    with pytest.raises(ModelUnsafe, match="TorchScript"):
        check_torch_file(exported(tmp_path / "e.pt2", state_dict(), **{"net__data__x.pt": nested}))


def test_two_entries_of_one_name_are_refused(tmp_path: Path) -> None:
    path = write_zip(tmp_path / "a.pth", calls("os", "system", "touch HERE"))
    with pytest.warns(UserWarning, match="Duplicate"), zipfile.ZipFile(path, "a") as archive:
        archive.writestr("archive/data.pkl", state_dict())

    with pytest.raises(ModelUnsafe, match="two entries of one name"):
        check_torch_file(path)


def test_an_entry_that_leads_out_is_refused(tmp_path: Path) -> None:
    for name in ("../../etc/cron.d/x", "/etc/passwd", "archive/../../x", "archive\\..\\x"):
        path = write_zip(tmp_path / "a.pth", state_dict())
        with zipfile.ZipFile(path, "a") as archive:
            archive.writestr(name, b"")
        with pytest.raises(ModelUnsafe, match="leads out"):
            check_torch_file(path)


def test_what_unpacks_to_many_times_its_size_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "a.pth"
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("archive/data.pkl", state_dict())
        with archive.open("archive/data/0", "w") as weights:
            for _ in range(80):
                weights.write(bytes(1 << 20))

    with pytest.raises(ModelUnsafe, match="many times its size"):
        check_torch_file(path)


def test_a_pickle_that_claims_gigabytes_is_refused_before_they_are_read(tmp_path: Path) -> None:
    claims = PROTO + b"\x8e" + (1 << 40).to_bytes(8, "little")

    with pytest.raises(ModelCorrupt, match="longer than 64 MiB"):
        check_torch_file(write_legacy(tmp_path / "a.pth", claims))


@pytest.mark.parametrize(
    "content",
    [
        b"",
        b"PK\x03\x04",
        b"PK\x03\x04" + bytes(100),
        b"no model",
        bytes(1000),
        PROTO,
        state_dict(),
        PROTO + b"K\x01" + STOP,
    ],
    ids=["empty", "zip-start", "zip-zeros", "text", "zeros", "cut", "no-magic", "a-number"],
)
def test_what_is_no_file_of_pytorch_is_corrupt(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "a.pth"
    path.write_bytes(content)

    with pytest.raises(ModelCorrupt) as caught:
        check_torch_file(path)
    assert caught.value.fix


def test_a_cut_file_is_corrupt(tmp_path: Path) -> None:
    whole = write_zip(tmp_path / "a.pth", state_dict()).read_bytes()
    for end in range(10, len(whole), 97):
        (tmp_path / "cut.pth").write_bytes(whole[:end])
        with pytest.raises(ModelError):
            check_torch_file(tmp_path / "cut.pth")


@settings(max_examples=200, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(data=st.data(), legacy=st.booleans())
def test_a_file_with_any_bytes_changed_is_taken_or_refused_and_nothing_else(
    tmp_path: Path, data: st.DataObject, legacy: bool
) -> None:
    write = write_legacy if legacy else write_zip
    content = bytearray(write(tmp_path / "a.pth", state_dict()).read_bytes())
    for _ in range(data.draw(st.integers(1, 6))):
        content[data.draw(st.integers(4, len(content) - 1))] = data.draw(st.integers(0, 255))
    (tmp_path / "a.pth").write_bytes(content)

    with contextlib.suppress(ModelError):
        assert check_torch_file(tmp_path / "a.pth") in MODEL_FILES


def archives(folder: Path) -> list[bytes]:
    (folder / "inside.onnx").write_bytes(b"model")
    packed = io.BytesIO()
    with zipfile.ZipFile(packed, "w") as archive:
        archive.write(folder / "inside.onnx", "model.onnx")
    tar = io.BytesIO()
    with tarfile.open(fileobj=tar, mode="w") as tarred:
        tarred.add(folder / "inside.onnx", "../../model.onnx")
    return [
        packed.getvalue(),
        tar.getvalue(),
        gzip.compress(tar.getvalue()),
        b"BZh91AY",
        b"7z\xbc\xaf\x27\x1c",
        b"Rar!\x1a",
    ]


@pytest.mark.parametrize("suffix", [".onnx", ".zip", ".tar.gz", ".pth", ".pt", ""])
def test_an_archive_is_no_model_whatever_it_is_called(tmp_path: Path, suffix: str) -> None:
    store = ModelStore(str(tmp_path / "store"), cache=tmp_path / "cache")
    for content in archives(tmp_path):
        path = tmp_path / f"model{suffix}"
        path.write_bytes(content)
        with pytest.raises(ModelUnsupported, match="is an archive") as caught:
            store.add(path, "gate", Manifest(), check=lambda _: pytest.fail("it was about to be loaded"))
        assert "unpack it" in caught.value.fix
    assert not (tmp_path / "store").exists()


@pytest.mark.parametrize(
    "name", ["yolo.weights", "yolo.engine", "yolo.tflite", "yolo.h5", "yolo.safetensors", "yolo.pkl"]
)
def test_models_of_other_runtimes_are_refused_by_their_suffix(tmp_path: Path, name: str) -> None:
    (tmp_path / name).write_bytes(b"x")

    with pytest.raises(ModelUnsupported, match="no ONNX file"):
        stored_name(tmp_path / name)


def test_the_stored_name_keeps_the_kind(tmp_path: Path) -> None:
    store = ModelStore(str(tmp_path / "store"), cache=tmp_path / "cache")
    (tmp_path / "a.onnx").write_bytes(b"model")
    files = [
        tmp_path / "a.onnx",
        write_zip(tmp_path / "a.pth", state_dict()),
        write_legacy(tmp_path / "a.th", state_dict()),
        write_zip(tmp_path / "script.pt", state_dict(), **{"archive__code__a.py": b""}),
        exported(tmp_path / "a.pt2", state_dict()),
        write_zip(tmp_path / "weights.pt", state_dict()),
    ]

    names = [store.add(file, "gate", Manifest(), check=lambda _: None).file.name for file in files]

    assert names == ["model.onnx", "model.pth", "model.pth", "model.pt", "model.pt2", "model.pth"]
    assert [held.file_name for held in store.versions("gate")] == names
    assert [one.problem for one in store.verify("gate")] == [""] * 6
