"""A classifier from its file to its answers."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from tests.model_store.classification.tiny_classifier import COLOURS, classifier_manifest, load, write_classifier
from vss.codecs.images import Image
from vss.errors import ConfigError, InferenceFailed, ModelUnsupported
from vss.model_store.tasks.classification.predictions import PredictionMaker, are_probabilities
from vss.model_store.tasks.classification.task import ClassificationTask
from vss.schemas.events import ClassPrediction


def plain(blue: int, green: int, red: int, side: int = 32) -> Image:
    return np.full((side, side, 3), (blue, green, red), np.uint8)


def answers(path: Path, *images: Image, manifest: Any = None, **settings: object) -> list[tuple[ClassPrediction, ...]]:
    runner = load(path, manifest, **settings)
    try:
        return [answer.value for answer in runner.run(images)]
    finally:
        runner.close()


def softmax(*logits: float) -> list[float]:
    powers = np.exp(np.array(logits) - max(logits))
    return [float(value) for value in powers / powers.sum()]


def test_logits_become_probabilities_the_most_confident_first(tmp_path: Path) -> None:
    [found] = answers(write_classifier(tmp_path / "m.onnx"), plain(51, 255, 102))
    assert [(one.class_, one.class_id) for one in found] == [("green", 1), ("red", 0), ("blue", 2)]
    assert [one.confidence for one in found] == pytest.approx(softmax(10, 4, 2), abs=1e-5)


@pytest.mark.parametrize("output", ["auto", "probabilities"])
def test_probabilities_stay_as_they_are(tmp_path: Path, output: str) -> None:
    file = write_classifier(tmp_path / "m.onnx", softmax=True)
    [found] = answers(file, plain(51, 255, 102), manifest=classifier_manifest(output=output))
    assert [one.confidence for one in found] == pytest.approx(softmax(10, 4, 2), abs=1e-5)


def test_the_manifest_says_when_probabilities_are_logits_after_all(tmp_path: Path) -> None:
    file = write_classifier(tmp_path / "m.onnx", softmax=True)
    [found] = answers(file, plain(0, 255, 0), manifest=classifier_manifest(output="logits"))
    assert found[0].confidence < 0.6


@pytest.mark.parametrize(("top_k", "reported"), [(1, 1), (2, 2), (5, 3)])
def test_top_k_limits_what_is_reported(tmp_path: Path, top_k: int, reported: int) -> None:
    [found] = answers(write_classifier(tmp_path / "m.onnx"), plain(0, 255, 0), top_k=top_k)
    assert len(found) == reported
    assert found[0].class_ == "green"


@pytest.mark.parametrize("batch", ["batch", 1, 4])
def test_pictures_of_a_batch_get_their_own_answers(tmp_path: Path, batch: int | str) -> None:
    images = [plain(255, 0, 0), plain(0, 255, 0), plain(0, 0, 255), plain(9, 0, 255), plain(0, 99, 5)]
    found = answers(write_classifier(tmp_path / "m.onnx", batch=batch), *images)
    assert [one[0].class_ for one in found] == ["blue", "green", "red", "red", "green"]


def test_a_model_of_any_size_looks_at_224_pixels_and_its_manifest_may_say_another(tmp_path: Path) -> None:
    file = write_classifier(tmp_path / "m.onnx", side="side")
    first, second = load(file), load(file, classifier_manifest(input={"width": 96, "height": 64}))
    assert (first.input_wh, second.input_wh) == ((224, 224), (96, 64))
    assert first.task.facts == {"output": "logits", "resize": "256"}
    first.close()
    second.close()


def test_imagenet_s_mean_is_taken_off_unless_the_manifest_says_otherwise(tmp_path: Path) -> None:
    file = write_classifier(tmp_path / "m.onnx", [[1, 0, 0], [0, 1, 0]], labels=["red", "green"])
    [found] = answers(file, plain(0, 255, 255), manifest=classifier_manifest(input={}))
    logits = {"red": (1 - 0.485) / 0.229, "green": (1 - 0.456) / 0.224}
    expected = dict(zip(logits, softmax(*logits.values()), strict=True))
    assert {one.class_: one.confidence for one in found} == pytest.approx(expected, abs=1e-5)


def test_a_classifier_of_ultralytics_is_fed_as_it_was_trained(tmp_path: Path) -> None:
    file = write_classifier(tmp_path / "m.onnx", side=224, metadata={"author": "Ultralytics", "task": "classify"})
    runner = load(file, classifier_manifest(input={}))
    assert isinstance(runner.task, ClassificationTask)
    made = runner.task.preparation
    assert (made.mean, made.std, made.crop.resize) == ((0, 0, 0), (1, 1, 1), 224)
    runner.close()


@pytest.mark.parametrize(
    ("in_metadata", "in_manifest", "expected"),
    [
        (COLOURS, None, COLOURS),
        (COLOURS, ("r", "g", "b"), ("r", "g", "b")),
        (None, None, ("class_0", "class_1", "class_2")),
    ],
)
def test_labels_are_the_manifest_s_else_the_metadata_s(
    tmp_path: Path, in_metadata: tuple[str, ...] | None, in_manifest: tuple[str, ...] | None, expected: tuple[str, ...]
) -> None:
    file = write_classifier(tmp_path / "m.onnx", labels=in_metadata)
    runner = load(file, classifier_manifest(labels=in_manifest))
    assert runner.labels == expected
    runner.close()


def test_labels_of_another_number_are_refused(tmp_path: Path) -> None:
    file = write_classifier(tmp_path / "m.onnx")
    with pytest.raises(ConfigError, match=r"3 classes apart, model\.yaml names 2"):
        load(file, classifier_manifest(labels=("a", "b")))


def test_an_output_that_ends_with_single_pixels_is_read(tmp_path: Path) -> None:
    [found] = answers(write_classifier(tmp_path / "m.onnx", output_shape=(3, 1, 1)), plain(0, 255, 0))
    assert found[0].class_ == "green"


@pytest.mark.parametrize(
    ("changes", "shown"),
    [
        ({"output_shape": (1, 3)}, "1 × 1 × 3"),
        ({"outputs": 2}, "1 × 3; 1 × 3"),
        ({"weights": [[1, 1, 1]], "labels": None}, "1 × 1"),
    ],
    ids=["a detector's", "several", "a single number"],
)
def test_outputs_of_no_classifier_are_refused(tmp_path: Path, changes: dict[str, Any], shown: str) -> None:
    file = write_classifier(tmp_path / "m.onnx", **changes)
    with pytest.raises(ModelUnsupported, match="are none of a classifier") as raised:
        load(file)
    assert f"({shown})" in str(raised.value)


def test_a_size_that_the_model_does_not_take_is_refused(tmp_path: Path) -> None:
    file = write_classifier(tmp_path / "m.onnx", side=32)
    with pytest.raises(ModelUnsupported, match=r"input\.width is 64"):
        load(file, classifier_manifest(input={"width": 64}))


@pytest.mark.parametrize("wrong", [np.nan, np.inf])
def test_an_output_that_is_no_number_fails_its_picture(wrong: float) -> None:
    maker = PredictionMaker(COLOURS, logits=True, top_k=3)
    with pytest.raises(InferenceFailed, match="no number"):
        maker.predictions(np.array([1, wrong, 2], np.float32))


def test_large_logits_do_not_overflow_and_equals_go_by_class_id() -> None:
    maker = PredictionMaker(COLOURS, logits=True, top_k=3)
    found = maker.predictions(np.array([300, 900, 900], np.float32))
    assert [(one.class_id, one.confidence) for one in found] == [(1, 0.5), (2, 0.5), (0, 0.0)]


@pytest.mark.parametrize(
    ("rows", "expected"),
    [
        ([[0.25, 0.75]], True),
        ([[0.25, 0.75], [0.5, 0.6]], False),
        ([[-0.5, 1.5]], False),
        ([[3.0, 1.0]], False),
    ],
)
def test_a_distribution_is_told_from_logits(rows: list[list[float]], expected: bool) -> None:
    assert are_probabilities(np.array(rows, np.float32)) is expected


def test_what_a_smoke_input_shows_is_the_first_class_alone(tmp_path: Path) -> None:
    runner = load(write_classifier(tmp_path / "m.onnx"))
    [answer] = runner.run([plain(0, 255, 0)])
    assert runner.task.classes_in(answer.value) == ["green"]
    runner.close()
