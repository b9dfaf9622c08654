"""What `vss models add`, `list`, `show`, `verify` and `remove` do beyond a folder and a detector."""

from __future__ import annotations

import json
import uuid
from collections.abc import Callable
from pathlib import Path

import cv2
import fsspec
import numpy as np
import pytest

from tests.model_store.classification.tiny_classifier import write_classifier
from tests.model_store.models_command import Ran, runner
from tests.model_store.tiny_model import write_tiny_yolov8
from vss.config import KafkaSettings
from vss.schemas.models import ModelActivation, ServingLimits
from vss.schemas.topics import MODEL_VERDICTS, MODELS
from vss.streams.activation_writer import publish_activation
from vss.streams.topic_admin import create_topics

Vss = Callable[..., Ran]
STORE = "memory://of-the-commands/models"


@pytest.fixture
def vss(capsys: pytest.CaptureFixture[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Vss:
    write_tiny_yolov8(tmp_path / "tiny.onnx")
    fs = fsspec.filesystem("memory")
    if fs.exists(STORE):
        fs.rm(STORE, recursive=True)
    return runner(capsys, tmp_path, monkeypatch)


def picture(path: Path, brightness: int) -> None:
    cv2.imwrite(str(path), np.full((64, 64, 3), brightness, np.uint8))


def test_a_store_at_an_address_is_used_like_a_folder(vss: Vss, tmp_path: Path) -> None:
    at = ("--store", STORE)
    assert "added gate@1" in vss("add", "tiny.onnx", "--name", "gate", *at)[1]
    assert vss("add", "tiny.onnx", "--name", "gate", *at)[0] == 0

    assert [line.split()[:2] for line in vss("list", *at)[1].splitlines()] == [["NAME", "LATEST"], ["gate", "2"]]
    shown = json.loads(vss("show", "gate@1", "--json", *at)[1])
    assert shown["facts"] == {"head": "yolov8"}
    assert Path(shown["file"]).is_relative_to(tmp_path / "cache")
    assert vss("verify", *at)[0] == 0
    assert vss("remove", "gate@1", "--offline", *at)[0] == 0
    assert [one["version"] for one in json.loads(vss("list", "--json", *at)[1])[0]["versions"]] == [2]
    assert not (tmp_path / "models").exists()


def test_a_damaged_model_hides_no_other_from_the_list(vss: Vss, tmp_path: Path) -> None:
    for name in ("gate", "yard"):
        assert vss("add", "tiny.onnx", "--name", name)[0] == 0
    (tmp_path / "models" / "yard" / "1" / "SHA256SUMS").unlink()

    code, out, err = vss("list", "--json")
    assert (code, [one["name"] for one in json.loads(out)]) == (1, ["gate"])
    assert "yard cannot be listed: models/yard/1/SHA256SUMS cannot be read" in err
    assert vss("list")[1].splitlines()[1].startswith("gate")


def test_a_classifier_is_added_with_what_flags_say_of_it(vss: Vss, tmp_path: Path) -> None:
    write_classifier(tmp_path / "parts.onnx", labels=None)

    code, out, err = vss(
        "add", "parts.onnx", "--name", "parts", "--task", "classification", "--labels", "bolt,nut,washer",
        "--input", "mean=0,0,0", "--input", "std=1,1,1", "--input", "resize=32", "--json",
    )  # fmt: skip

    assert code == 0, err
    added = json.loads(out)
    assert (added["task"], added["labels"]) == ("classification", ["bolt", "nut", "washer"])
    assert added["facts"]["output"] == "logits"
    assert added["manifest"]["input"]["mean"] == [0, 0, 0]
    assert added["manifest"]["input"]["resize"] == 32
    assert "vss worker classify" in vss("add", "parts.onnx", "--name", "parts")[1]


def test_flags_add_to_what_the_manifest_beside_the_file_says(vss: Vss, tmp_path: Path) -> None:
    (tmp_path / "tiny.yaml").write_text("input: {pad: 7, width: 64}\nsmoke: {expect: [bright]}\n")
    picture(tmp_path / "day.png", 250)

    code, out, err = vss("add", "tiny.onnx", "--name", "gate", "--input", "pad=9", "--smoke", "day.png", "--json")

    assert code == 0, err
    manifest = json.loads(out)["manifest"]
    assert (manifest["input"]["pad"], manifest["input"]["width"]) == (9, 64)
    assert manifest["smoke"] == {"image": "smoke.png", "expect": ["bright"]}


def test_a_model_is_added_only_if_it_understands_its_smoke_input(vss: Vss, tmp_path: Path) -> None:
    picture(tmp_path / "night.jpg", 5)
    picture(tmp_path / "day.jpg", 250)
    expect = ("--smoke-expect", "bright")

    code, _, err = vss("add", "tiny.onnx", "--name", "gate", "--smoke", "night.jpg", *expect)
    assert code == 2
    assert "does not find bright" in err
    assert not list(tmp_path.glob("models/[!.]*"))

    assert vss("add", "tiny.onnx", "--name", "gate", "--smoke", "day.jpg", *expect)[0] == 0
    assert (tmp_path / "models" / "gate" / "smoke.jpg").read_bytes() == (tmp_path / "day.jpg").read_bytes()
    assert "smoke       smoke.jpg: bright" in vss("show", "gate")[1]


@pytest.mark.parametrize(
    ("arguments", "says", "fix"),
    [
        (("--input", "widht=3"), "unknown key widht", "did you mean width?"),
        (("--input", "width"), "no KEY=VALUE", "--input width=224"),
        (("--input", "width=wide"), "input.width", "fitting value"),
        (("--task", "clasification"), "unknown task", "did you mean classification?"),
        (("--task", "No Task"), "task", "fitting value"),
        (("--smoke", "none.jpg"), "none.jpg, the smoke picture", "put the picture there"),
        (("--smoke", "day.gif"), "no JPEG or PNG", ".jpg or .png"),
        (("--smoke-expect", "a,,b"), "an empty name", "single commas"),
        (("--name", "gate@1"), "no model name", "--name gate-1"),
        (("--store", "nonsense://x"), "cannot be used", "correct its address"),
        (("--store", "gs://bucket/models"), "is not installed", "pip install gcsfs"),
    ],
)
def test_what_cannot_be_is_one_line_with_the_fix(vss: Vss, arguments: tuple[str, ...], says: str, fix: str) -> None:
    code, out, err = vss("add", "tiny.onnx", "--name", "gate", *arguments)

    assert (code, out) == (2, "")
    problem, remedy = err.splitlines()
    assert says in problem
    assert fix in remedy


def test_verify_ends_with_one_when_a_version_differs(vss: Vss, tmp_path: Path) -> None:
    assert vss("verify")[:2] == (0, "")
    for name in ("gate", "gate", "yard"):
        vss("add", "tiny.onnx", "--name", name)
    code, out, err = vss("verify")
    assert code == 0
    assert out.splitlines() == ["gate@1  as stored", "gate@2  as stored", "yard@1  as stored"]
    assert err == "3 checked, none differing\n"

    stored = tmp_path / "models" / "gate" / "2" / "model.onnx"
    stored.chmod(0o644)
    stored.write_bytes(stored.read_bytes() + b"\0")

    code, out, _ = vss("verify", "--json")
    assert code == 1
    assert [(one["name"], one["version"], one["ok"]) for one in json.loads(out)] == [
        ("gate", 1, True),
        ("gate", 2, False),
        ("yard", 1, True),
    ]
    assert vss("verify", "gate")[0] == 1
    assert vss("verify", "gate@1")[0] == 0
    assert vss("verify", "gate@2")[0] == 1
    code, _, err = vss("verify", "gaet")
    assert code == 2
    assert "did you mean gate?" in err


def test_without_a_broker_nothing_is_removed_unless_that_is_said(vss: Vss) -> None:
    for _ in range(2):
        vss("add", "tiny.onnx", "--name", "gate")

    code, _, err = vss("remove", "gate@1")
    assert code == 2
    assert "whether it is active is not known: no broker answers" in err
    assert "--offline" in err
    assert "gate@1  as stored" in vss("verify")[1]

    code, out, err = vss("remove", "gate@1", "--offline")
    assert (code, out) == (0, "removed gate@1\n")
    assert "not known whether gate@1 is active" in err
    assert vss("remove", "gate@1", "--offline")[0] == 2
    assert vss("remove", "gate", "--offline")[0] == 2
    assert vss("remove", "../gate@1", "--offline")[0] == 2


def test_without_a_broker_it_is_said_that_nobody_knows_what_serves(vss: Vss) -> None:
    vss("add", "tiny.onnx", "--name", "gate")

    for arguments in (("list",), ("show", "gate")):
        code, out, err = vss(*arguments)
        assert code == 0
        assert out
        assert err.startswith("which versions are active is not known: no broker answers at 127.0.0.1:9")
    assert "serves" not in json.loads(vss("list", "--json")[1])[0]["versions"][0]
    assert vss("show", "tiny.onnx")[2] == ""


@pytest.fixture
def kafka(bootstrap_servers: str, vss: Vss, monkeypatch: pytest.MonkeyPatch) -> KafkaSettings:
    """The session's broker with topics of this test's own, as the commands find it."""
    settings = KafkaSettings(bootstrap_servers=bootstrap_servers, topic_prefix=f"{uuid.uuid4().hex}.")
    create_topics(settings, (MODELS, MODEL_VERDICTS))
    monkeypatch.setenv("VSS_KAFKA__BOOTSTRAP_SERVERS", bootstrap_servers)
    monkeypatch.setenv("VSS_KAFKA__TOPIC_PREFIX", settings.topic_prefix)
    return settings


def activation(version: str, stable: str | None = None, percent: int = 100, limits: bool = False) -> ModelActivation:
    return ModelActivation(
        id=uuid.uuid4().hex,
        name="gate",
        version=version,
        percent=percent,
        stable=stable,
        history=(stable,) if stable is not None else (),
        limits=ServingLimits(max_error_rate=0.1) if limits else None,
        reason="",
        timestamp="2026-01-01T00:00:00Z",
    )


def test_what_serves_is_shown_and_never_removed(vss: Vss, kafka: KafkaSettings) -> None:
    for _ in range(4):
        vss("add", "tiny.onnx", "--name", "gate")
    assert vss("list")[1].splitlines()[1].split()[:4] == ["gate", "4", "latest", "4"]
    assert vss("remove", "gate@4")[0] == 0, "nothing was activated"

    publish_activation(kafka, activation("2", stable="1", percent=10))
    assert "1, 2 for 10%" in vss("list")[1]
    assert "gate@2  canary 10%" in vss("show", "gate@2")[1]
    assert json.loads(vss("show", "gate@1", "--json")[1])["serves"] == "active"
    assert json.loads(vss("show", "gate@3", "--json")[1])["serves"] is None
    for version in ("1", "2"):
        code, _, err = vss("remove", f"gate@{version}")
        assert code == 2
        assert f"gate@{version} is active" in err

    publish_activation(kafka, activation("2", stable="1", limits=True))
    assert vss("remove", "gate@1")[0] == 2, "it is what a worker would go back to by itself"
    publish_activation(kafka, activation("2", stable="1"))
    assert vss("remove", "gate@1")[0] == 0
    assert vss("remove", "gate@2")[0] == 2
    assert vss("remove", "gate@3")[0] == 0
    assert [one["version"] for one in json.loads(vss("list", "--json")[1])[0]["versions"]] == [2]
    assert json.loads(vss("list", "--json")[1])[0]["versions"][0]["serves"] == "active"
