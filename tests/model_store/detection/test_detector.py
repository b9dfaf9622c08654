import threading
from concurrent.futures import CancelledError
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from tests.model_store.detection.tiny_models import CELLS, SIDE, load, write_model, yolov8_output
from vss.codecs.images import Image
from vss.config import ModelSettings
from vss.errors import ConfigError, InferenceFailed, ModelUnsupported, UndecodableImage
from vss.metrics import Metrics
from vss.model_store.manifest import InputSpec, Manifest, Thresholds
from vss.model_store.resolve import ModelRef
from vss.model_store.runner.picture import Picture
from vss.model_store.runner.runner import Runner
from vss.model_store.tasks.detection.task import DetectionTask
from vss.testing import make_image

ONE_BOX = yolov8_output((32, 32, 16, 8, 1, 0.9))


def grey(level: int, width: int = SIDE, height: int = SIDE) -> Image:
    return np.full((height, width, 3), level, np.uint8)


@pytest.fixture
def dynamic(tmp_path: Path) -> Path:
    """Takes any batch; the box's centre x is 20 plus 10 times the brightness."""
    moving = np.zeros_like(ONE_BOX)
    moving[0, 0] = 10
    return write_model(tmp_path / "tiny.onnx", yolov8_output((20, 32, 16, 8, 1, 0.9)), brightness=moving)


def test_boxes_are_in_pixels_of_the_source(tmp_path: Path) -> None:
    detector = load(write_model(tmp_path / "tiny.onnx", ONE_BOX))
    [found] = detector.run([grey(0, 640, 320)])
    # 640×320 becomes 64×32 with 16 rows above: the box's 28..36 rows are 120..200 of the source.
    assert found.value[0].bbox == (240, 120, 400, 200)
    assert found.value[0].center == (320, 160)
    assert (found.value[0].class_id, found.value[0].confidence) == (1, 0.9)
    assert (found.width, found.height) == (640, 320)


def test_boxes_end_where_the_picture_ends(tmp_path: Path) -> None:
    detector = load(write_model(tmp_path / "tiny.onnx", yolov8_output((0, 32, 200, 200, 0, 0.9))))
    assert detector.run([grey(0, 640, 320)])[0].value[0].bbox == (0, 0, 640, 320)


@pytest.mark.parametrize("batch", ["batch", 1, 4])
@pytest.mark.parametrize("count", [1, 2, 3, 5, 16])
def test_each_picture_gets_its_own_boxes_whatever_batch_the_model_takes(
    tmp_path: Path, batch: int | str, count: int
) -> None:
    moving = np.zeros_like(ONE_BOX)
    moving[0, 0] = 10
    file = write_model(tmp_path / "tiny.onnx", yolov8_output((20, 32, 16, 8, 1, 0.9)), brightness=moving, batch=batch)
    detector = load(file)
    levels = [(i * 37) % 256 for i in range(count)]
    found = detector.run([grey(level) for level in levels])
    assert [d.value[0].center[0] for d in found] == pytest.approx([20 + 10 * n / 255 for n in levels], abs=0.01)


def test_a_model_of_any_batch_is_called_with_true_batches(dynamic: Path) -> None:
    metrics = Metrics()
    ref = ModelRef("tiny", "1", dynamic, Manifest())
    detector = Runner.load(ref, ModelSettings(threads=1, device="cpu"), metrics=metrics)
    detector.run([grey(0)] * 8)
    calls = metrics.registry.get_sample_value("inference_duration_seconds_count", {"model_name": "tiny"})
    pictures = metrics.registry.get_sample_value("inference_requests_total", {"model_name": "tiny", "status": "ok"})
    assert (calls, pictures) == (2, 8)


def test_a_picture_that_cannot_be_decoded_fails_alone(dynamic: Path) -> None:
    def broken(_: tuple[int, int]) -> Image:
        raise UndecodableImage("cut off")

    detector = load(dynamic, threads=1)
    pictures = [Picture.decoded(grey(0)), Picture(SIDE, SIDE, broken), Picture.decoded(grey(255))]
    first, second, third = detector.submit(pictures)
    assert first.result().value[0].center[0] == 20
    assert third.result().value[0].center[0] == 30
    with pytest.raises(UndecodableImage, match="cut off"):
        second.result()


def test_an_output_that_cannot_be_read_fails_alone(dynamic: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    detector = load(dynamic, threads=1)
    read = detector.task.result

    def picky(outputs: list[Any], width: int, height: int) -> Any:
        if outputs[0][0, 0] > 25:
            raise InferenceFailed("no number")
        return read(outputs, width, height)

    monkeypatch.setattr(detector.task, "result", picky)
    first, second, third = detector.submit([Picture.decoded(grey(level)) for level in (0, 255, 0)])
    assert first.result(30).value
    assert third.result(30).value
    with pytest.raises(InferenceFailed, match="no number"):
        second.result(30)


def test_boxes_that_are_no_numbers_are_an_inference_that_failed(tmp_path: Path) -> None:
    detector = load(write_model(tmp_path / "tiny.onnx", yolov8_output((np.nan, 32, 16, 8, 1, 0.9))))
    with pytest.raises(InferenceFailed, match="boxes that are no numbers"):
        detector.run([grey(0)])


def test_a_call_of_broken_pictures_alone_does_not_run_the_model(dynamic: Path) -> None:
    def broken(_: tuple[int, int]) -> Image:
        raise UndecodableImage("cut off")

    futures = load(dynamic).submit([Picture(SIDE, SIDE, broken)] * 3)
    assert all(isinstance(future.exception(), UndecodableImage) for future in futures)


def test_a_model_that_raises_is_an_inference_that_failed(tmp_path: Path) -> None:
    metrics = Metrics()
    file = write_model(tmp_path / "tiny.onnx", ONE_BOX, one_at_a_time=True)
    settings = ModelSettings(threads=1, device="cpu")
    detector = Runner.load(ModelRef("tiny", "1", file, Manifest()), settings, metrics=metrics)
    futures = detector.submit([Picture.decoded(grey(0))] * 2)
    for future in futures:
        with pytest.raises(InferenceFailed):
            future.result()
    failed = metrics.registry.get_sample_value("inference_requests_total", {"model_name": "tiny", "status": "error"})
    assert failed == 2
    # Alone each would have worked, and the detector goes on.
    assert detector.run([grey(0)])[0].value


def test_cancelled_pictures_are_not_decoded(dynamic: Path) -> None:
    started, go = threading.Event(), threading.Event()
    decoded = []

    def first(_: tuple[int, int]) -> Image:
        started.set()
        go.wait(30)
        return grey(0)

    def second(_: tuple[int, int]) -> Image:
        decoded.append(1)
        return grey(0)

    detector = load(dynamic, threads=1)
    running, waiting = detector.submit([Picture(SIDE, SIDE, first), Picture(SIDE, SIDE, second)])
    started.wait(30)
    assert waiting.cancel()
    go.set()
    assert running.result(30).value
    with pytest.raises(CancelledError):
        waiting.result()
    assert not decoded


def test_decoding_of_the_next_call_goes_on_while_one_is_in_the_model(tmp_path: Path) -> None:
    detector = load(write_model(tmp_path / "tiny.onnx", ONE_BOX, batch=1), threads=2)
    both = threading.Barrier(2, timeout=30)

    def load_together(_: tuple[int, int]) -> Image:
        both.wait()  # passes only when two threads are in here at once
        return grey(0)

    futures = detector.submit([Picture(SIDE, SIDE, load_together)] * 2)
    assert all(future.result().value for future in futures)


@pytest.mark.parametrize("head", ["yolov5", "yolov8", "yolox", "end_to_end"])
def test_every_head_is_recognised_and_read(tmp_path: Path, head: str) -> None:
    box = [32, 32, 16, 16]
    outputs = {
        "yolov5": np.zeros((3 * CELLS, 7), np.float32),
        "yolov8": yolov8_output((*box, 1, 0.9)),  # type: ignore[arg-type]
        "yolox": np.zeros((CELLS, 7), np.float32),
        "end_to_end": np.array([[24, 24, 40, 40, 0.9, 1]], np.float32),
    }
    outputs["yolov5"][5] = [*box, 1, 0, 0.9]
    # The cell (2, 2) of stride 16 begins at 32, 32.
    outputs["yolox"][64 + 10] = [0, 0, 0, 0, 1, 0, 0.9]
    detector = load(write_model(tmp_path / "tiny.onnx", outputs[head]))
    assert detector.task.facts["head"] == head
    [found] = detector.run([grey(0)])
    [thing] = found.value
    assert thing.bbox == pytest.approx((24, 24, 40, 40), abs=0.01)
    assert (thing.class_id, thing.confidence) == (1, 0.9)


@pytest.mark.parametrize(("head", "expected"), [("yolov8", (1.0, 2.0, 3.0)), ("yolox", (765.0, 510.0, 255.0))])
def test_colour_order_and_range_are_those_the_head_is_trained_on(
    tmp_path: Path, head: str, expected: tuple[float, ...]
) -> None:
    outputs = {"yolov8": ONE_BOX, "yolox": np.zeros((CELLS, 7), np.float32)}
    detector = load(write_model(tmp_path / "tiny.onnx", outputs[head]))
    assert isinstance(detector.task, DetectionTask)
    letterbox = detector.task.letterbox
    weights = (1.0, 2.0, 3.0)
    levels = tuple(255 * letterbox.scale * w for w in (weights if letterbox.rgb else weights[::-1]))
    assert levels == pytest.approx(expected)
    assert letterbox.centered == (head == "yolov8")


def test_the_manifest_overrides_what_would_be_recognised(tmp_path: Path) -> None:
    spec = InputSpec(color="bgr", scale=2.0, letterbox="top_left", pad=7)
    manifest = Manifest(head="yolov5", labels=("a", "b"), input=spec)
    rows = np.zeros((CELLS, 7), np.float32)
    rows[0] = [32, 32, 16, 16, 1, 0, 0.9]
    detector = load(write_model(tmp_path / "tiny.onnx", rows), manifest)
    assert isinstance(detector.task, DetectionTask)
    letterbox = detector.task.letterbox
    assert detector.task.facts["head"] == "yolov5"
    assert (letterbox.rgb, letterbox.scale, letterbox.centered, letterbox.pad) == (False, 2.0, False, 7)
    assert detector.run([grey(0)])[0].value[0].class_ == "b"


def test_a_head_that_cannot_read_the_output_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ModelUnsupported, match="no end_to_end head"):
        load(write_model(tmp_path / "tiny.onnx", ONE_BOX), Manifest(head="end_to_end"))


def test_names_come_from_the_metadata_or_are_made_up(tmp_path: Path) -> None:
    named = load(write_model(tmp_path / "a.onnx", ONE_BOX, metadata={"names": "{0: 'cat', 1: 'dog'}"}))
    unnamed = load(write_model(tmp_path / "b.onnx", ONE_BOX))
    assert (named.labels, unnamed.labels) == (("cat", "dog"), ("class_0", "class_1"))
    assert named.run([grey(0)])[0].value[0].class_ == "dog"


def test_a_list_of_names_of_another_length_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match=r"tells 2 classes apart, model\.yaml names 1"):
        load(write_model(tmp_path / "tiny.onnx", ONE_BOX), Manifest(labels=("cat",)))


def test_thresholds_come_from_the_settings_then_the_manifest(tmp_path: Path) -> None:
    file = write_model(tmp_path / "tiny.onnx", yolov8_output((32, 32, 9, 9, 0, 0.6), (9, 9, 9, 9, 0, 0.4)))
    manifest = Manifest(thresholds=Thresholds(confidence=0.7))
    assert len(load(file).run([grey(0)])[0].value) == 1
    assert len(load(file, manifest).run([grey(0)])[0].value) == 0
    assert len(load(file, manifest, confidence=0.3).run([grey(0)])[0].value) == 2


def test_only_the_wanted_classes_are_reported_and_no_more_than_allowed(tmp_path: Path) -> None:
    boxes = [(8.0 + 12 * i, 32.0, 6.0, 6.0, i % 2, 0.6 + i / 100) for i in range(4)]
    file = write_model(tmp_path / "tiny.onnx", yolov8_output(*boxes), metadata={"names": "['cat', 'dog']"})
    assert [o.class_ for o in load(file, classes=("dog",)).run([grey(0)])[0].value] == ["dog", "dog"]
    assert [o.confidence for o in load(file, max_detections=1).run([grey(0)])[0].value] == [0.63]


def test_a_class_the_model_does_not_know_is_refused_with_the_nearest(tmp_path: Path) -> None:
    file = write_model(tmp_path / "tiny.onnx", ONE_BOX, metadata={"names": "['person', 'dog']"})
    with pytest.raises(ConfigError, match="'persn'") as raised:
        load(file, classes=("persn",))
    assert raised.value.fix == "did you mean person?"


def test_an_input_of_any_size_takes_the_one_of_the_manifest(tmp_path: Path) -> None:
    file = write_model(tmp_path / "tiny.onnx", ONE_BOX, input_shape=(3, "height", "width"))
    detector = load(file, Manifest(input=InputSpec(width=SIDE, height=SIDE)))
    assert detector.input_wh == (SIDE, SIDE)
    assert detector.run([make_image()])[0].value


def test_a_size_the_model_does_not_take_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ModelUnsupported, match=r"input\.width is 320, the model takes 64"):
        load(write_model(tmp_path / "tiny.onnx", ONE_BOX), Manifest(input=InputSpec(width=320)))


def test_a_closed_detector_can_be_closed_again(dynamic: Path) -> None:
    detector = load(dynamic)
    detector.close()
    detector.close()
