"""Real pictures and real models: the boxes are those that the models' own code finds."""

from pathlib import Path

import cv2
import numpy as np
import pytest

from tests.model_store.detection.reference import agreement, detect_frames, frames_named
from tests.model_store.detection.tiny_models import load
from vss.bench.accuracy import detect_files, read_reference
from vss.codecs.images import encode_image
from vss.model_store.evaluation.matching import agree
from vss.model_store.manifest import Manifest

pytestmark = pytest.mark.timeout(300)


@pytest.mark.parametrize("model", ["yolov8n", "yolox_nano"])
def test_boxes_in_video_frames_are_those_of_the_models_own_code(shared_data: Path, model: str) -> None:
    reference = read_reference(shared_data / "expected" / f"{model}_video.json")
    detector = load(shared_data / "models" / f"{model}.onnx", confidence=0.25, iou=0.45)
    found = detect_frames(detector, frames_named(shared_data / "video", reference))
    result = agreement(reference, found)
    assert result.reference > 50
    assert result.matched_share >= 0.99
    assert result.extra_share <= 0.01


def test_boxes_in_jpegs_are_those_of_the_models_own_code(shared_data: Path) -> None:
    reference = read_reference(shared_data / "expected" / "yolov8n_coco128.json")
    detector = load(shared_data / "models" / "yolov8n.onnx", confidence=0.25, iou=0.45)
    files = {name: (shared_data / "coco128" / "images" / name).read_bytes() for name in reference}
    found = detect_files(detector, files)
    result = agreement(reference, found)
    assert result.reference > 500
    assert result.matched_share >= 0.99
    assert result.extra_share <= 0.01
    # The names in the model's metadata are used as well.
    named = {name: {o.class_ for o in objects} for name, objects in found.items()}
    assert named["000000000009.jpg"] >= {"bowl", "broccoli"}


@pytest.mark.parametrize("model", ["yolov8n", "yolox_nano"])
def test_a_large_jpeg_decoded_at_reduced_size_shows_the_same_objects(shared_data: Path, model: str) -> None:
    names = [f"one-by-one-person-detection.mp4#{number}" for number in range(50, 1390, 50)]
    frames = {
        name: cv2.resize(frame, (1920, 1080), interpolation=cv2.INTER_CUBIC).astype(np.uint8)
        for name, frame in frames_named(shared_data / "video", names).items()
    }
    detector = load(shared_data / "models" / f"{model}.onnx", Manifest(), confidence=0.5)
    whole = detect_frames(detector, frames)
    reduced = detect_files(detector, {name: encode_image(frame, "jpeg", quality=90) for name, frame in frames.items()})
    result = agree(whole, reduced, iou=0.9, confidence=0.1)
    assert result.reference >= 10
    assert result.matched_share >= 0.95
    assert result.extra_share <= 0.05
