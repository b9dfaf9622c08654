from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import cv2
import numpy as np
import pytest

from tests.infer.media import write_image
from tests.model_store.detection.tiny_models import write_model, yolov8_output
from tests.model_store.series.tiny_series import spec_document, write_anomaly
from tests.workers.comparing.conftest import START_MS, FrameLog, Ran
from vss.codecs.images import encode_image
from vss.config import KafkaSettings
from vss.streams.activation_log import read_activations

Vss = Callable[..., Ran]
LEFT, RIGHT = (16, 32, 16, 16, 0, 0.9), (48, 32, 16, 16, 1, 0.8)


@pytest.fixture
def gate(vss: Vss, tmp_path: Path) -> None:
    """Versions 1, 2 and 3 of gate: the second finds what the first does, the third half of it."""
    boxes = [(LEFT, RIGHT), (LEFT, (*RIGHT[:5], 0.75)), (LEFT,)]
    for number, found in enumerate(boxes):
        file = write_model(tmp_path / f"{number}.onnx", yolov8_output(*found))
        assert vss("models", "add", file, "--name", "gate").code == 0


@pytest.fixture
def pictures(tmp_path: Path) -> Path:
    for number in range(5):
        write_image(tmp_path / "in" / f"{number}.jpg", 128, 64, 64)
    return tmp_path / "in"


def test_two_versions_are_put_side_by_side(vss: Vss, gate: None, pictures: Path, tmp_path: Path) -> None:
    ran = vss("models", "compare", "gate", "1", "3", pictures)
    assert ran.code == 0
    assert "agreement 0.6666 on 5 frames" in ran.out
    assert "5 boxes matched, 5 missed by B, 0 only in B; 0 frames without a difference" in ran.out
    assert "50 MB" in ran.out
    drawn = sorted((tmp_path / "compare-gate-1-3").iterdir())
    assert [path.name for path in drawn] == [f"worst-0{i}.png" for i in range(1, 6)]
    assert str(drawn[0].relative_to(tmp_path)) in ran.out
    assert cv2.imread(str(drawn[0])) is not None


def test_names_of_classes_are_shown_as_they_are(vss: Vss, gate: None, pictures: Path, tmp_path: Path) -> None:
    file = write_model(tmp_path / "odd.onnx", yolov8_output(LEFT))
    assert vss("models", "add", file, "--name", "odd", "--labels", "[red]car,[/van]").code == 0
    ran = vss("models", "compare", "gate", "1", "odd@1", pictures)
    assert ran.code == 0
    assert "A does not know: [/van], [red]car" in ran.out


def test_machines_read_the_same(vss: Vss, gate: None, pictures: Path) -> None:
    ran = vss("models", "compare", "gate", "1", "latest", pictures, "--json", "--worst", "1", "--require", "0.5")
    found = json.loads(ran.out)
    assert ran.code == 0
    assert (found["frames"], found["matched"], found["missed"], found["extra"]) == (5, 5, 5, 0)
    assert found["agreement"] == pytest.approx(2 / 3)
    assert (found["a"]["version"], found["b"]["version"]) == ("1", "3")
    assert (found["required"], found["passed"], len(found["worst"])) == (0.5, True, 1)
    assert found["a"]["cpu_ms_a_frame"] > 0


def test_a_gate_ends_with_1_and_says_what_to_do(vss: Vss, gate: None, pictures: Path) -> None:
    assert vss("models", "compare", "gate", "1", "2", pictures, "--require", "0.98").code == 0
    ran = vss("models", "compare", "gate", "1", "3", pictures, "--require", "0.98")
    assert ran.code == 1
    assert "gate@3 agrees with gate@1 by 0.6666, which is below 0.98" in ran.err
    assert "fix:" in ran.err
    # What was found is shown all the same.
    assert "5 missed by B" in ran.out


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["gate", "1", "9", "in"], "no version '9'"),
        (["gaet", "1", "2", "in"], "no model 'gaet'"),
        (["gate", "1", "2"], "no frames to compare on were named"),
        (["gate", "1", "2", "in", "--topic", "frames"], "both a topic and files"),
        (["gate", "1", "2", "in", "--from", "-10m"], "--from and --to are of a topic"),
        (["gate", "1", "2", "nowhere"], "no such file or folder: nowhere"),
        (["gate", "1", "2", "--topic", "frames", "--from", "noon"], "'noon' is no time"),
    ],
)
def test_what_cannot_be_compared_is_refused_in_one_line(
    vss: Vss, gate: None, pictures: Path, arguments: list[str], message: str
) -> None:
    ran = vss("models", "compare", *arguments)
    assert ran.code == 2
    assert message in ran.err
    assert "fix:" in ran.err
    assert ran.out == ""


@pytest.mark.usefixtures("on_kafka")
def test_frames_of_a_topic_are_compared_on_and_unreadable_ones_reported(vss: Vss, gate: None, log: FrameLog) -> None:
    jpeg = encode_image(np.zeros((64, 64, 3), np.uint8), "jpeg")
    log.write([jpeg] * 6 + [b"no picture"])
    ran = vss("models", "compare", "gate", "active", "1", "--topic", "frames", "--from", START_MS + 2000, "--json")
    found = json.loads(ran.out)
    # Nothing was activated, so the highest version serves.
    assert (found["a"]["version"], found["b"]["version"]) == ("3", "1")
    assert (found["frames"], found["unreadable"], found["extra"]) == (4, 1, 4)
    assert f"{log.topic}[0] gate #6: the bytes are no JPEG or PNG" in ran.err


@pytest.mark.usefixtures("on_kafka")
def test_a_version_that_agrees_too_little_is_not_activated(
    vss: Vss, gate: None, pictures: Path, kafka: KafkaSettings
) -> None:
    assert vss("models", "activate", "gate", "1").code == 0
    refused = vss("models", "activate", "gate", "3", "--require", "0.98", "--inputs", pictures)
    assert refused.code == 1
    assert "gate@3 agrees with gate@1 by 0.6666" in refused.err
    assert read_activations(kafka)["gate"].serving == "1"
    passed = vss("models", "activate", "gate", "2", "--require", "0.98", "--inputs", pictures, "--json")
    assert passed.code == 0
    assert "# gate@2 agrees with gate@1 by 1.0000 on 5 frames" in passed.err
    assert read_activations(kafka)["gate"].serving == "2"


@pytest.mark.usefixtures("on_kafka")
def test_a_version_for_readings_is_gated_on_readings(vss: Vss, tmp_path: Path, kafka: KafkaSettings) -> None:
    for gain in (1.0, 1.0, 0.5):
        write_anomaly(tmp_path / "pump.onnx", gain=gain, spec=spec_document())
        assert vss("models", "add", tmp_path / "pump.onnx", "--name", "pump").code == 0
    rows = [f"{1_700_000_000_000 + 1000 * i},{v},{v}" for i, v in enumerate([0.1] * 50 + [4.0] * 10 + [0.1] * 40)]
    table = tmp_path / "readings.csv"
    table.write_text("\n".join(["ts,pressure,flow", *rows]) + "\n")
    assert vss("models", "activate", "pump", "1").code == 0
    refused = vss("models", "activate", "pump", "3", "--require", "0.99", "--inputs", table)
    assert refused.code == 1
    assert "pump@3 agrees with pump@1 by 0.9" in refused.err
    assert read_activations(kafka)["pump"].serving == "1"
    passed = vss("models", "activate", "pump", "2", "--require", "0.99", "--inputs", table)
    assert passed.code == 0
    assert "# pump@2 agrees with pump@1 by 1.0000 on 97 windows" in passed.err
    assert read_activations(kafka)["pump"].serving == "2"


@pytest.mark.usefixtures("on_kafka")
def test_a_gate_without_anything_to_compare_with_is_refused(
    vss: Vss, gate: None, pictures: Path, kafka: KafkaSettings
) -> None:
    for arguments, message in (
        (["3", "--require", "0.9", "--inputs", pictures], "no other version of gate serves"),
        (["1", "--require", "0.9"], "no frames to compare on were named"),
        (["1", "--inputs", pictures], "frames to compare on without --require"),
    ):
        ran = vss("models", "activate", "gate", *arguments)
        assert ran.code == 2
        assert message in ran.err
    assert read_activations(kafka) == {}


def test_real_models_agree_in_part_and_their_worst_frames_are_drawn(
    vss: Vss, shared_data: Path, tmp_path: Path
) -> None:
    models, video = shared_data / "models", shared_data / "video" / "one-by-one-person-detection.mp4"
    a, b = models / "yolov8n.onnx", models / "yolox_nano.onnx"
    few = (video, "--every", 60, "--limit", 6)
    ran = vss("models", "compare", "street", a, b, *few, "--json", "--save", "worst")
    found = json.loads(ran.out)
    assert found["frames"] == 6
    assert 0.7 < found["agreement"] < 1.0
    assert found["cpu_ratio"] < 0.7
    assert found["a"]["own_classes"] == found["b"]["own_classes"] == []
    assert [example["place"] for example in found["worst"]] == [f"{video} #300"]
    image = cv2.imread(str(tmp_path / found["worst"][0]["file"]))
    assert image is not None
    assert image.shape == (432 + 2 * 34, 2 * 768 + 6, 3)
    same = vss("models", "compare", "street", b, b, *few, "--require", "1")
    assert same.code == 0
    assert "agreement 1.0000 on 6 frames" in same.out
