from __future__ import annotations

import hashlib
import json
from pathlib import Path
from typing import Any

import onnx
import pytest

from tests.model_store.models_command import runner
from tests.model_store.tiny_model import write_tiny_yolov8


@pytest.fixture
def vss(capsys: pytest.CaptureFixture[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Any:
    write_tiny_yolov8(tmp_path / "tiny.onnx")
    return runner(capsys, tmp_path, monkeypatch)


def test_add_says_what_it_found(vss: Any) -> None:
    code, out, _ = vss("add", "tiny.onnx", "--name", "gate")

    assert code == 0
    assert "added gate@1" in out
    for words in ("head        yolov8", "input       64 × 64", "classes     2: bright, never"):
        assert words in out


def test_json_says_everything_to_machines(vss: Any, tmp_path: Path) -> None:
    added = json.loads(vss("add", "tiny.onnx", "--name", "gate", "--json")[1])

    assert added == {
        "name": "gate",
        "version": "1",
        "file": "models/gate/1/model.onnx",
        "size_bytes": (tmp_path / "tiny.onnx").stat().st_size,
        "sha256": hashlib.sha256((tmp_path / "tiny.onnx").read_bytes()).hexdigest(),
        "task": "detection",
        "facts": {"head": "yolov8"},
        "input": {"width": 64, "height": 64},
        "labels": ["bright", "never"],
        "smoke": None,
        "manifest": added["manifest"],
    }
    assert added["manifest"]["thresholds"] == {"confidence": 0.5, "iou": 0.4}
    assert json.loads(vss("show", "gate", "--json")[1]) == added


def test_list_shows_every_model_with_its_latest_version(vss: Any) -> None:
    assert vss("list")[1] == ""
    assert json.loads(vss("list", "--json")[1]) == []
    for name in ("gate", "yard", "gate"):
        assert vss("add", "tiny.onnx", "--name", name)[0] == 0

    rows = [line.split()[:4] for line in vss("list")[1].splitlines()]
    assert rows == [["NAME", "LATEST", "SERVES", "VERSIONS"], ["gate", "2", "?", "2"], ["yard", "1", "?", "1"]]
    listed = json.loads(vss("list", "--json")[1])
    assert [(one["name"], one["latest"], len(one["versions"])) for one in listed] == [("gate", 2, 2), ("yard", 1, 1)]


def test_labels_come_from_a_list_or_a_file(vss: Any, tmp_path: Path) -> None:
    (tmp_path / "labels.txt").write_text("bolt\nnut\n\n", encoding="utf-8")

    assert json.loads(vss("add", "tiny.onnx", "--name", "a", "--labels", "bolt, nut", "--json")[1])["labels"] == [
        "bolt",
        "nut",
    ]
    assert "2: bolt, nut" in vss("add", "tiny.onnx", "--name", "b", "--labels", "labels.txt")[1]
    assert "2: bolt, nut" in vss("show", "b")[1]


def test_the_manifest_beside_a_file_comes_along(vss: Any, tmp_path: Path) -> None:
    (tmp_path / "tiny.yaml").write_text("labels: {0: bolt, 1: nut}\nthresholds: {confidence: 0.3}")

    assert vss("add", "tiny.onnx", "--name", "gate", "--head", "yolov8")[0] == 0

    shown = json.loads(vss("show", "gate", "--json")[1])
    assert shown["labels"] == ["bolt", "nut"]
    assert (shown["manifest"]["head"], shown["manifest"]["thresholds"]["confidence"]) == ("yolov8", 0.3)


def test_a_file_can_be_looked_at_before_it_is_added(vss: Any, tmp_path: Path) -> None:
    assert "head        yolov8" in vss("show", "tiny.onnx")[1]
    assert not (tmp_path / "models").exists()


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        (("add", "none.onnx", "--name", "gate"), "no such model file: none.onnx"),
        (("add", "tiny.onnx"), "--name"),
        (("add", "tiny.onnx", "--name", "../gate"), "no model name"),
        (("add", "tiny.onnx", "--name", "Gate"), "no model name"),
        (("add", "tiny.onnx", "--name", "gate", "--head", "yolov3"), "head"),
        (("add", "tiny.onnx", "--name", "gate", "--head", "yolox"), "yolox"),
        (("add", "tiny.onnx", "--name", "gate", "--labels", "one"), "names 1"),
        (("add", "tiny.onnx", "--name", "gate", "--labels", "none.txt"), "none.txt cannot be read"),
        (("add", "tiny.onnx", "--name", "gate", "--labels", "a,,b"), "class 1 has no name"),
        (("add", "broken.onnx", "--name", "gate"), "is no ONNX model"),
        (("add", "weights.pt", "--name", "gate"), "is no whole file of PyTorch"),
        (("add", "tiny.onnx", "--name", "gate", "--store", "tiny.onnx/store"), "cannot write to the model store"),
        (("show", "gate"), "no model 'gate'"),
        (("show", "../gate"), "no such model file"),
    ],
)
def test_what_cannot_work_is_one_line_with_the_fix_and_leaves_nothing(
    vss: Any, tmp_path: Path, arguments: tuple[str, ...], says: str
) -> None:
    for name in ("broken.onnx", "weights.pt"):
        (tmp_path / name).write_bytes(b"no model")

    code, out, err = vss(*arguments)

    assert code == 2
    assert out == ""
    assert says in err
    assert [line[:7] for line in err.splitlines()] == ["error: ", "fix:   "]
    assert vss("list")[1] == ""
    assert not list(tmp_path.glob("models/[!.]*"))


def test_the_message_names_the_file_the_user_gave(vss: Any, tmp_path: Path) -> None:
    (tmp_path / "broken.onnx").write_bytes(b"no model")

    message = vss("add", "broken.onnx", "--name", "gate")[2]

    assert "broken.onnx" in message
    assert "model.onnx" not in message


def test_a_model_with_its_weights_in_another_file_is_refused(vss: Any, tmp_path: Path) -> None:
    onnx.save(
        onnx.load(tmp_path / "tiny.onnx"),
        str(tmp_path / "split.onnx"),
        save_as_external_data=True,
        location="split.onnx.data",
        size_threshold=0,
    )
    assert (tmp_path / "split.onnx.data").stat().st_size > 0

    code, _, message = vss("add", "split.onnx", "--name", "gate")

    assert code == 2
    assert "with its weights inside" in message
    assert not (tmp_path / "models" / "gate").exists()


def test_a_changed_file_is_refused_by_its_checksum(vss: Any, tmp_path: Path) -> None:
    vss("add", "tiny.onnx", "--name", "gate")
    stored = tmp_path / "models" / "gate" / "1" / "model.onnx"
    stored.chmod(0o644)
    stored.write_bytes(stored.read_bytes() + b"\0")

    code, _, err = vss("show", "gate")

    assert code == 2
    assert "not the file that was stored" in err
