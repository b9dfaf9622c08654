import json
from pathlib import Path

import cv2
import numpy as np
import pytest
from click.testing import CliRunner

from tests.bench.bench_command import run
from vss.bench.accuracy import read_reference
from vss.cli.bench.group import bench
from vss.errors import ConfigError
from vss.model_store.evaluation.labelled import read_labels


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Two pictures of 64×64; in the first there is one object, where `model` finds it in both."""
    for name in ("images", "labels"):
        (tmp_path / name).mkdir()
    for name in ("a", "b"):
        cv2.imwrite(str(tmp_path / "images" / f"{name}.jpg"), np.zeros((64, 64, 3), np.uint8))
    (tmp_path / "labels" / "a.txt").write_text("1 0.5 0.5 0.25 0.125\n")
    return tmp_path


def test_labels_and_boxes_are_compared_in_pixels(folder: Path, model: Path) -> None:
    report = run("accuracy", "--model", model, folder)
    # One of the two boxes found is right, and no less sure than the other.
    assert report["precision"] == {"map50": 1.0, "map50_95": 1.0, "classes": 1, "objects": 1}
    assert (report["pictures"], report["agreement"]) == (2, None)


def test_boxes_are_compared_with_those_of_another_program(folder: Path, model: Path) -> None:
    box = {"class": "class_1", "class_id": 1, "confidence": 0.9, "bbox": [24, 28, 40, 36]}
    reference = folder / "reference.json"
    reference.write_text(json.dumps({"detections": {"a.jpg": [box], "b.jpg": []}}))
    report = run("accuracy", "--model", model, folder, "--reference", reference)
    assert report["agreement"] == {"reference": 1, "matched": 1, "extra": 1}


def test_labels_of_another_shape_are_refused_with_their_file(folder: Path) -> None:
    (folder / "labels" / "a.txt").write_text("1 0.5 0.5\n")
    with pytest.raises(ConfigError, match=r"a\.txt: 3 values"):
        read_labels(folder, {"a.jpg": folder / "images" / "a.jpg"})


@pytest.mark.parametrize("text", ["", "[]", '{"detections": {"a": [{"bbox": [1]}]}}', '{"found": {}}'])
def test_a_file_that_is_no_reference_is_refused(tmp_path: Path, text: str) -> None:
    file = tmp_path / "reference.json"
    file.write_text(text)
    with pytest.raises(ConfigError, match="is no reference"):
        read_reference(file)


def test_a_folder_without_pictures_is_refused(tmp_path: Path, model: Path) -> None:
    (tmp_path / "empty").mkdir()
    with pytest.raises(ConfigError, match="no pictures"):
        CliRunner().invoke(bench, ["accuracy", "--model", str(model), str(tmp_path / "empty")], catch_exceptions=False)
