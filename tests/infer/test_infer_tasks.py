"""`vss infer` with classifiers, and with a classifier behind a detector."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest

from tests.infer.media import write_clip, write_image
from tests.model_store.classification.tiny_classifier import write_classifier
from tests.model_store.detection.tiny_models import write_model, yolov8_output

MANIFEST = "task: classification\ninput: {mean: [0, 0, 0], std: [1, 1, 1]}\n"


@pytest.fixture
def classifier(tmp_path: Path) -> Path:
    """White pictures are surely `day`; of black ones it cannot tell."""
    (tmp_path / "light.yaml").write_text(MANIFEST)
    return write_classifier(tmp_path / "light.onnx", [[4, 4, 4], [-4, -4, -4]], labels=["day", "even"])


@pytest.fixture
def detector(tmp_path: Path) -> Path:
    names = {"names": "{0: 'cat', 1: 'dog'}"}
    return write_model(
        tmp_path / "gate.onnx", yolov8_output((16, 16, 16, 16, 0, 0.9), (48, 48, 16, 16, 1, 0.8)), metadata=names
    )


def halves(path: Path) -> None:
    """Dark where the cat is, bright where the dog is."""
    image = np.zeros((64, 64, 3), np.uint8)
    image[32:, 32:] = 255
    path.write_bytes(cv2.imencode(".png", image)[1].tobytes())


def test_a_classified_picture_is_a_line_with_its_predictions(vss: Any, tmp_path: Path, classifier: Path) -> None:
    write_image(tmp_path / "a.png", 255, 32, 32)
    write_image(tmp_path / "b.png", 0, 32, 32)
    ran = vss("infer", classifier, "a.png", "b.png", "--json", "--top-k", "1")
    assert ran.code == 0
    bright, dark = ran.lines
    assert set(bright) == {"source", "frame", "predictions"}
    assert [(one["class"], one["class_id"]) for one in bright["predictions"]] == [("day", 0)]
    # Logits of ±12 for white, none for black: there both are as likely, and the first comes first.
    assert bright["predictions"][0]["confidence"] == pytest.approx(1.0, abs=1e-4)
    assert dark["predictions"][0]["confidence"] == pytest.approx(0.5, abs=1e-4)


def test_features_are_part_of_the_line(vss: Any, tmp_path: Path, classifier: Path) -> None:
    write_image(tmp_path / "a.png", 51, 32, 32)
    ran = vss("infer", classifier, "a.png", "--json", "--features", "pooled")
    assert ran.lines[0]["embedding"] == pytest.approx([0.2, 0.2, 0.2], abs=1e-3)
    missing = vss("infer", classifier, "a.png", "--json", "--features", "poled")
    assert missing.code == 2
    assert "no layer 'poled'" in missing.err
    assert "pooled" in missing.err


def test_a_person_reads_the_classes_of_an_image_and_how_often_they_are_in_a_video(
    vss: Any, tmp_path: Path, classifier: Path
) -> None:
    write_image(tmp_path / "a.png", 255, 32, 32)
    write_clip(tmp_path / "clip.mp4", [255] * 7 + [200] * 3, width=32, height=32)
    assert vss("infer", classifier, "a.png", "clip.mp4").out.splitlines() == [
        "a.png: day 100.0%, even 0.0%",
        "clip.mp4: 10 frames, 10 day",
    ]


def test_annotated_copies_of_classified_pictures_have_a_banner(vss: Any, tmp_path: Path, classifier: Path) -> None:
    write_image(tmp_path / "a.png", 255, 320, 240)
    assert vss("infer", classifier, "a.png", "--save", "out").code == 0
    drawn = cv2.imread(str(tmp_path / "out" / "a.png"))
    assert drawn is not None
    assert (drawn[:20, :40] != 255).any()
    assert (drawn[120:] == 255).all()


def test_objects_carry_what_the_second_model_says_of_their_crop(
    vss: Any, tmp_path: Path, detector: Path, classifier: Path
) -> None:
    halves(tmp_path / "a.png")
    ran = vss("infer", detector, "a.png", "--then", classifier, "--json", "--top-k", "1")
    assert ran.code == 0
    cat, dog = ran.lines[0]["objects"]
    assert cat["classification"]["predictions"][0]["confidence"] == pytest.approx(0.5, abs=0.01)
    assert dog["classification"]["predictions"][0]["confidence"] == pytest.approx(1.0, abs=0.01)
    assert dog["classification"]["model_name"] == "light"
    only = vss("infer", detector, "a.png", "--then", classifier, "--then-classes", "dog", "--save", "out")
    assert only.out == "a.png: 1 cat, 1 dog (day)\n"
    assert (tmp_path / "out" / "a.png").exists()


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        (("gate.onnx", "a.png", "--then-classes", "dog"), "--then-classes without --then"),
        (("gate.onnx", "a.png", "--then", "light.onnx", "--then-classes", "dg"), "the detector knows no class 'dg'"),
        (("light.onnx", "a.png", "--then", "light.onnx"), "wants a detector and a classifier"),
        (("gate.onnx", "a.png", "--then", "gate.onnx"), "wants a detector and a classifier"),
        (("gate.onnx", "a.png", "--then", "none.onnx"), "no such model file: none.onnx"),
        (("light.onnx", "a.png", "--top-k", "0"), "model.top_k"),
    ],
)
def test_a_cascade_that_cannot_be_is_one_line_with_the_fix(
    vss: Any, tmp_path: Path, detector: Path, classifier: Path, arguments: tuple[str, ...], says: str
) -> None:
    halves(tmp_path / "a.png")
    ran = vss("infer", *arguments)
    assert ran.code == 2
    assert says in ran.err
    assert [line[:7] for line in ran.err.splitlines()] == ["error: ", "fix:   "]
