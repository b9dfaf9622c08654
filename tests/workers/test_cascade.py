"""A cascade: what becomes of a micro-batch whose objects a second model looks at."""

from __future__ import annotations

import math
import threading
import weakref
from collections.abc import Callable, Sequence
from concurrent.futures import Future, wait
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.model_store.classification.tiny_classifier import classifier_manifest, write_classifier
from tests.model_store.classification.tiny_classifier import load as load_classifier
from tests.model_store.detection.tiny_models import load as load_detector
from tests.model_store.detection.tiny_models import write_model, yolov8_output
from vss.codecs.events import decode_event
from vss.codecs.images import Image, decode_image
from vss.config import Limits
from vss.errors import InferenceFailed, UndecodableImage
from vss.metrics import Metrics
from vss.model_store.runner.answer import Answer
from vss.model_store.runner.picture import Picture
from vss.model_store.serving.requests import Request, Served, Server
from vss.model_store.serving.single import SingleModel
from vss.schemas.envelope import Message, Outcome, Record
from vss.schemas.events import ClassificationEvent, ClassPrediction, DetectedObject, DetectionEvent
from vss.testing import ManualClock, make_bad_frames, make_frame
from vss.workers.loop.step import Result
from vss.workers.pictures.cascade import Cascade
from vss.workers.pictures.crops import content_of, crop_of
from vss.workers.pictures.kinds import DETECT
from vss.workers.pictures.step import PictureStep

CAT, DOG = (16, 16, 16, 16, 0, 0.9), (48, 48, 16, 16, 1, 0.8)
PATIENCE_S = 20.0


class FakeServer:
    """Keeps what it is asked; the test answers, or `answer` does at once."""

    def __init__(self, answer: Callable[[Request], Any] | None = None) -> None:
        self.batches: list[list[Request]] = []
        self.futures: list[Future[Served[Any]]] = []
        self.closed = 0
        self._answer = answer

    def submit(self, requests: Sequence[Request]) -> list[Future[Served[Any]]]:
        self.batches.append(list(requests))
        started: list[Future[Served[Any]]] = [Future() for _ in requests]
        self.futures += started
        if self._answer is not None:
            for request, future in zip(requests, started, strict=True):
                settle(future, self._answer(request))
        return started

    def close(self) -> None:
        self.closed += 1


def settle(future: Future[Served[Any]], value: Any) -> None:
    if isinstance(value, Exception):
        future.set_exception(value)
    else:
        future.set_result(Served(Answer(value, 0.25, 0.5, 100, 80), "m", "2"))


def thing(name: str = "cat", bbox: tuple[float, float, float, float] = (10, 10, 30, 30)) -> DetectedObject:
    center = ((bbox[0] + bbox[2]) / 2, (bbox[1] + bbox[3]) / 2)
    return DetectedObject(class_=name, class_id=0, confidence=0.9, bbox=bbox, center=center)


def said(name: str) -> tuple[ClassPrediction, ...]:
    return (ClassPrediction(class_=name, class_id=0, confidence=0.9),)


def frame(key: bytes = b"gate", content: bytes | None = b"jpeg", load: Callable[..., Image] | None = None) -> Request:
    blank = np.zeros((80, 100, 3), np.uint8)
    return Request(Picture(100, 80, load or (lambda _: blank)), key, "detection", content=content)


def results(futures: Sequence[Future[Served[Any]]]) -> list[Any]:
    wait(futures, PATIENCE_S)
    return [future.exception() or future.result().answer.value for future in futures]


def test_all_crops_of_a_batch_are_asked_for_together_when_its_last_frame_is_through() -> None:
    detector, classifier = FakeServer(), FakeServer(lambda _: said("tabby"))
    futures = Cascade(detector, classifier).submit([frame(b"a"), frame(b"b"), frame(b"c")])
    settle(detector.futures[2], (thing(), thing("dog")))
    settle(detector.futures[0], (thing(),))
    assert classifier.batches == []
    settle(detector.futures[1], ())
    [crops] = classifier.batches
    assert [(crop.key, crop.task, crop.model) for crop in crops] == [
        (key, "classification", None) for key in (b"a", b"c", b"c")
    ]
    assert [len(found) for found in results(futures)] == [1, 0, 2]
    [first] = futures[0].result().answer.value
    assert first.classification.predictions == said("tabby")
    assert (first.classification.model_name, first.classification.model_version) == ("m", "2")
    assert first.classification.inference_time == 0.25
    assert futures[0].result().answer.processing_s > 0.5


def test_only_objects_of_the_given_classes_are_looked_at_and_all_are_reported() -> None:
    detector = FakeServer(lambda _: (thing("cat"), thing("dog"), thing("cat")))
    classifier = FakeServer(lambda _: said("rex"))
    [found] = results(Cascade(detector, classifier, classes=("dog",)).submit([frame()]))
    assert [one.classification is not None for one in found] == [False, True, False]


def test_the_second_model_is_not_asked_when_nothing_is_there() -> None:
    classifier = FakeServer()
    assert results(Cascade(FakeServer(lambda _: ()), classifier).submit([frame()])) == [()]
    assert classifier.batches == []


def test_a_crop_that_fails_is_its_frame_s_failure_and_no_other_s() -> None:
    def classify(request: Request) -> Any:
        return InferenceFailed("odd") if request.key == b"bad" else said("tabby")

    cascade = Cascade(FakeServer(lambda _: (thing(), thing())), FakeServer(classify))
    first, second, third = results(cascade.submit([frame(b"good"), frame(b"bad"), frame(b"fine")]))
    assert isinstance(second, InferenceFailed)
    assert [len(found) for found in (first, third)] == [2, 2]


def test_a_frame_that_the_detector_refuses_does_not_hold_its_neighbours_up() -> None:
    def detect(request: Request) -> Any:
        return UndecodableImage("cut") if request.key == b"bad" else (thing(),)

    cascade = Cascade(FakeServer(detect), FakeServer(lambda _: said("tabby")))
    bad, good = results(cascade.submit([frame(b"bad"), frame(b"good")]))
    assert isinstance(bad, UndecodableImage)
    assert good[0].classification is not None


def test_a_second_server_that_raises_fails_the_frames_that_needed_it_alone() -> None:
    class Broken(FakeServer):
        def submit(self, requests: Sequence[Request]) -> list[Future[Served[Any]]]:
            raise RuntimeError("closed")

    detector = FakeServer(lambda request: (thing(),) if request.key == b"full" else ())
    full, empty = results(Cascade(detector, Broken()).submit([frame(b"full"), frame(b"empty")]))
    assert isinstance(full, RuntimeError)
    assert empty == ()


def test_cancelling_lets_go_of_what_is_under_way_in_either_model() -> None:
    detector, classifier = FakeServer(), FakeServer()
    first, second = Cascade(detector, classifier).submit([frame(), frame()])
    assert first.cancel()
    assert detector.futures[0].cancelled()
    settle(detector.futures[1], (thing(),))
    assert second.cancel()
    assert classifier.futures[0].cancelled()
    assert not wait([first, second], PATIENCE_S).not_done


def test_a_frame_whose_work_is_dropped_ends_all_the_same() -> None:
    detector = FakeServer()
    [future] = Cascade(detector, FakeServer()).submit([frame()])
    detector.futures[0].cancel()
    assert not wait([future], PATIENCE_S).not_done
    assert future.cancelled()


def test_submit_waits_for_nothing_and_close_closes_both() -> None:
    held = threading.Event()

    class Slow(FakeServer):
        def submit(self, requests: Sequence[Request]) -> list[Future[Served[Any]]]:
            started = super().submit(requests)

            def answer() -> None:
                held.wait(PATIENCE_S)
                settle(started[0], (thing(),))

            threading.Thread(target=answer).start()
            return started

    detector, classifier = Slow(), FakeServer(lambda _: said("tabby"))
    cascade = Cascade(detector, classifier)
    [future] = cascade.submit([frame()])
    assert not future.done()
    held.set()
    assert results([future])[0][0].classification is not None
    cascade.close()
    assert (detector.closed, classifier.closed) == (1, 1)


def test_a_frame_is_decoded_once_at_its_full_size_and_crops_are_cut_from_it() -> None:
    sizes: list[tuple[int, int]] = []
    pixels = np.random.default_rng(0).integers(0, 256, (80, 100, 3), np.uint8)

    def load(at_least: tuple[int, int]) -> Image:
        sizes.append(at_least)
        return pixels

    def detect(request: Request) -> Any:
        request.picture.load((8, 8))
        return thing(), thing(bbox=(50, 40, 70, 60))

    def classify(request: Request) -> Any:
        shown.append(request.picture.load((1, 1)))
        assert shown[-1].shape[:2] == (request.picture.height, request.picture.width)
        return said("tabby")

    shown: list[Image] = []
    results(Cascade(FakeServer(detect), FakeServer(classify)).submit([frame(load=load)]))
    assert sizes == [(100, 80)]
    left, top, right, bottom = crop_of((50, 40, 70, 60), 100, 80)
    np.testing.assert_array_equal(shown[1], pixels[top:bottom, left:right])


@pytest.mark.parametrize(
    ("bbox", "gone"), [((10, 10, 30, 30), True), ((0, 0, 100, 80), False)], ids=["small", "all of it"]
)
def test_of_a_frame_that_waits_for_its_neighbours_the_crops_are_kept_where_they_are_smaller(
    bbox: tuple[float, float, float, float], gone: bool
) -> None:
    alive: list[weakref.ref[Image]] = []

    def load(_at_least: tuple[int, int]) -> Image:
        pixels = np.zeros((80, 100, 3), np.uint8)
        alive.append(weakref.ref(pixels))
        return pixels

    detector, classifier = FakeServer(), FakeServer(lambda request: said(str(request.picture.load((1, 1)).shape)))
    futures = Cascade(detector, classifier).submit([frame(load=load), frame(load=load), frame()])
    for request in detector.batches[0][:2]:
        request.picture.load((8, 8))
    settle(detector.futures[0], (thing(bbox=bbox), thing(bbox=bbox)))
    settle(detector.futures[1], ())
    assert (alive[0]() is None) is gone
    assert alive[1]() is None
    settle(detector.futures[2], ())
    assert results(futures)[0][0].classification is not None
    assert len(alive) == 2
    assert alive[0]() is None


@pytest.mark.parametrize("content", [b"jpeg", None])
def test_a_frame_seen_before_needs_no_pixels_for_its_crops_to_be_known(content: bytes | None) -> None:
    def load(_at_least: tuple[int, int]) -> Image:
        raise AssertionError("decoded")

    classifier = FakeServer(lambda _: said("tabby"))
    cascade = Cascade(FakeServer(lambda _: (thing(), thing(bbox=(0, 0, 9, 9)))), classifier)
    results(cascade.submit([frame(content=content, load=load), frame(content=content, load=load)]))
    [[a, b, again, _]] = classifier.batches
    if content is None:
        assert a.content is None
    else:
        assert a.content == again.content
        assert len({a.content, b.content, content_of(b"other", crop_of(thing().bbox, 100, 80))}) == 3


@given(
    st.tuples(st.floats(0, 640), st.floats(0, 480), st.floats(0, 640), st.floats(0, 480)),
    st.integers(1, 640),
    st.integers(1, 480),
)
def test_a_crop_is_a_square_in_the_frame_around_all_of_the_object(
    corners: tuple[float, float, float, float], width: int, height: int
) -> None:
    x1, x2 = sorted(min(x, width) for x in corners[::2])
    y1, y2 = sorted(min(y, height) for y in corners[1::2])
    left, top, right, bottom = crop_of((x1, y1, x2, y2), width, height)
    assert 0 <= left < right <= width
    assert 0 <= top < bottom <= height
    assert left <= x1 + 1 and right >= x2 - 1 and top <= y1 + 1 and bottom >= y2 - 1  # noqa: PT018
    side = max(1, math.ceil(max(x2 - x1, y2 - y1) * 8 / 7))
    assert (right - left, bottom - top) == (min(side, width), min(side, height))


# With real models, through the step.


@pytest.fixture
def step(tmp_path: Path) -> Any:
    names = {"names": "{0: 'cat', 1: 'dog'}"}
    detector = load_detector(write_model(tmp_path / "gate.onnx", yolov8_output(CAT, DOG), metadata=names))
    classifier = load_classifier(write_classifier(tmp_path / "colour.onnx"), classifier_manifest(), features=None)
    made = make_step(Cascade(SingleModel(detector), SingleModel(classifier)))
    yield made
    made.close()


def make_step(server: Server) -> PictureStep:
    return PictureStep(
        DETECT.name,
        task=DETECT.task,
        server=server,
        events=DETECT.events,
        topic_prefix="yard.",
        group="night",
        limits=Limits(),
        metrics=Metrics(),
        clock=ManualClock(2_000_000_000_000_000_000),
    )


def record(message: Message, offset: int) -> Record:
    return Record(message.topic, 2, offset, message.key, message.value, message.headers)


def two_colours() -> Image:
    """Red where the cat is, blue where the dog is."""
    image = np.zeros((64, 64, 3), np.uint8)
    image[:32, :32, 2] = 255
    image[32:, 32:, 0] = 255
    return image


def outcome(result: Result) -> Outcome:
    assert isinstance(result, Outcome), result
    return result


def test_a_frame_yields_its_detection_and_an_event_for_each_object(step: PictureStep) -> None:
    good = make_frame("gate-cam", two_colours(), codec="png")
    batch = [record(good, 0), record(make_bad_frames()["UndecodableImage"], 1), record(good, 2)]
    first, bad, last = step.begin(batch).results(PATIENCE_S)
    assert isinstance(bad, UndecodableImage)
    for result, offset in ((first, 0), (last, 2)):
        detection, *classifications = outcome(result).messages
        assert detection.topic == "yard.detections"
        event = decode_event(DetectionEvent, detection.value)
        tops = [one.classification.predictions[0].class_ for one in event.objects if one.classification]
        assert [one.class_ for one in event.objects] == ["cat", "dog"]
        assert tops == ["red", "blue"]
        assert [message.topic for message in classifications] == ["yard.classifications"] * 2
        for index, message in enumerate(classifications):
            about = decode_event(ClassificationEvent, message.value)
            assert (about.top_prediction, about.source.offset) == (tops[index], offset)
            assert about.object is not None
            assert (about.object.index, about.object.bbox) == (index, event.objects[index].bbox)
            # No outcome of its own: the audit counts one a frame.
            assert dict(message.headers)["ce_source"] == b"/groups/night/then"


def test_a_large_jpeg_is_not_decoded_smaller_for_the_detector(
    step: PictureStep, monkeypatch: pytest.MonkeyPatch
) -> None:
    sizes: list[tuple[int, ...]] = []

    def decode(*given: Any, **more: Any) -> Image:
        image = decode_image(*given, **more)
        sizes.append(image.shape)
        return image

    monkeypatch.setattr("vss.model_store.runner.picture.decode_image", decode)
    large = make_frame("gate-cam", np.full((480, 640, 3), 200, np.uint8))
    outcome(step.begin([record(large, 0)]).results(PATIENCE_S)[0])
    assert sizes == [(480, 640, 3)]
