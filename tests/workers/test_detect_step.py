"""The detection step: what becomes of each frame of a micro-batch."""

import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from tests.model_store.detection.tiny_models import write_model, yolov8_output
from vss import errors
from vss.codecs.events import decode_event
from vss.codecs.headers import format_time
from vss.codecs.images import Image, decode_image
from vss.config import Limits, ModelSettings
from vss.metrics import Metrics
from vss.model_store.manifest import Manifest
from vss.model_store.resolve import ModelRef
from vss.model_store.runner.runner import Runner
from vss.model_store.serving.single import SingleModel
from vss.schemas.envelope import Message, Outcome, OutcomeKind, Record
from vss.schemas.events import DetectionEvent, SourceCoordinates
from vss.testing import ManualClock, make_bad_frames, make_frame
from vss.workers.loop.step import Result, Unfinished
from vss.workers.pictures.kinds import DETECT
from vss.workers.pictures.step import PictureStep

DECODE = "vss.model_store.runner.picture.decode_image"
# A box whose place tells how bright the picture is: its centre moves by 10 pixels from black to white.
OUTPUT = yolov8_output((20, 32, 16, 8, 1, 0.9))
MOVING = np.zeros_like(OUTPUT)
MOVING[0, 0] = 10


@pytest.fixture
def metrics() -> Metrics:
    return Metrics()


@pytest.fixture
def step(tmp_path: Path, metrics: Metrics) -> Iterator[PictureStep]:
    made = make_step(tmp_path, metrics)
    yield made
    made.close()


def make_step(folder: Path, metrics: Metrics, *, version: str = "3") -> PictureStep:
    names = {"names": "{0: 'cat', 1: 'dog'}"}
    file = write_model(folder / "gate.onnx", OUTPUT, brightness=MOVING, metadata=names)
    settings = ModelSettings(threads=2, device="cpu")
    return step_of(Runner.load(ModelRef("gate", version, file, Manifest()), settings, metrics=metrics), metrics)


def step_of(detector: Runner[Any], metrics: Metrics) -> PictureStep:
    return PictureStep(
        DETECT.name,
        task=DETECT.task,
        server=SingleModel(detector),
        events=DETECT.events,
        topic_prefix="yard.",
        group="night",
        limits=Limits(),
        metrics=metrics,
        clock=ManualClock(2_000_000_000_000_000_000),
    )


def record(message: Message, offset: int = 0) -> Record:
    return Record(message.topic, 2, offset, message.key, message.value, message.headers)


def grey(level: int) -> Image:
    return np.full((64, 64, 3), level, np.uint8)


def event(result: Result) -> DetectionEvent:
    assert isinstance(result, Outcome)
    assert result.kind is OutcomeKind.EVENT
    [message] = result.messages
    assert message.topic == "yard.detections"
    return decode_event(DetectionEvent, message.value)


def test_a_frame_becomes_an_event_that_says_where_it_came_from(step: PictureStep) -> None:
    frame = make_frame("gate-cam", grey(255), seq=7, epoch=5, codec="png", captured_ns=1_900_000_000_000_000_000)
    [result] = step.begin([record(frame, offset=41)]).results()
    made = event(result)
    assert (made.camera_id, made.seq, made.epoch) == ("gate-cam", 7, 5)
    assert made.source == SourceCoordinates("vss.frames", 2, 41)
    assert (made.model_name, made.model_version) == ("gate", "3")
    assert (made.width, made.height, made.total_objects) == (64, 64, 1)
    assert made.captured_at == format_time(1_900_000_000_000_000_000)
    assert made.timestamp == format_time(2_000_000_000_000_000_000)
    assert 0 < made.inference_time <= made.processing_time
    [thing] = made.objects
    assert (thing.class_, thing.class_id, thing.confidence) == ("dog", 1, 0.9)
    assert thing.bbox == pytest.approx((22, 28, 38, 36), abs=0.01)
    assert isinstance(result, Outcome)
    assert result.captured_ns == 1_900_000_000_000_000_000


def test_the_headers_of_an_event_name_it_as_its_value_does(step: PictureStep) -> None:
    trace = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"
    frame = make_frame("gate-cam", grey(0))
    traced = Message(frame.topic, frame.key, frame.value, (*frame.headers, ("traceparent", trace.encode())))
    [result] = step.begin([record(traced)]).results()
    assert isinstance(result, Outcome)
    headers = dict(result.messages[0].headers)
    assert result.messages[0].key == b"gate-cam"
    assert headers["ce_id"] == event(result).id.encode()
    assert headers["ce_type"] == b"vss.detection.v1"
    assert headers["ce_source"] == b"/groups/night"
    assert headers["traceparent"] == trace.encode()


def test_the_same_frame_and_model_give_the_same_id_and_another_version_another(tmp_path: Path) -> None:
    frame = record(make_frame("gate-cam", grey(0)))
    ids = []
    for version in ("3", "3", "4"):
        step = make_step(tmp_path, Metrics(), version=version)
        ids.append(event(step.begin([frame]).results()[0]).id)
        step.close()
    assert ids[0] == ids[1] != ids[2]


def test_an_image_with_nothing_but_a_key_is_served(step: PictureStep) -> None:
    bare = Message("vss.frames", b"cam", make_frame(image=grey(0)).value)
    made = event(step.begin([record(bare)]).results()[0])
    assert (made.camera_id, made.captured_at, made.seq) == ("cam", None, None)


def test_a_frame_without_objects_is_an_event_all_the_same(tmp_path: Path, metrics: Metrics) -> None:
    file = write_model(tmp_path / "m.onnx", np.zeros_like(OUTPUT))
    detector = Runner.load(ModelRef("m", "1", file, Manifest()), ModelSettings(device="cpu"), metrics=metrics)
    step = step_of(detector, metrics)
    made = event(step.begin([record(make_frame(image=grey(0)))]).results()[0])
    assert (made.objects, made.total_objects) == ((), 0)
    step.close()


def test_every_bad_frame_is_refused_in_its_place_and_its_neighbours_are_served(step: PictureStep) -> None:
    bad = make_bad_frames()
    batch = [make_frame(image=grey(0), codec="png")]
    for message in bad.values():
        batch += [message, make_frame(image=grey(255), codec="png")]
    results = step.begin([record(message, i) for i, message in enumerate(batch)]).results()
    for name, result in zip(bad, results[1::2], strict=True):
        assert type(result) is getattr(errors, name)
    centers = [event(result).objects[0].center[0] for result in results[::2]]
    assert centers == pytest.approx([20] + [30] * len(bad), abs=0.01)


def test_results_come_in_the_order_of_the_batch(step: PictureStep) -> None:
    levels = [(i * 53) % 256 for i in range(23)]
    batch = [record(make_frame(image=grey(level), codec="raw"), i) for i, level in enumerate(levels)]
    results = step.begin(batch).results()
    assert [event(result).source.offset for result in results] == list(range(23))
    centers = [event(result).objects[0].center[0] for result in results]
    assert centers == pytest.approx([20 + 10 * level / 255 for level in levels], abs=0.01)


def test_an_empty_batch_has_no_results(step: PictureStep) -> None:
    assert step.begin([]).results() == []


def test_a_batch_that_is_not_done_in_time_says_so_and_gives_all_results_when_asked_again(
    step: PictureStep, monkeypatch: pytest.MonkeyPatch
) -> None:
    go = threading.Event()
    wait_for = [False, True]

    def slow(*args: object, **kwargs: object) -> Image:
        if wait_for.pop(0):
            assert go.wait(30)
        return decode_image(*args, **kwargs)  # type: ignore[arg-type]

    monkeypatch.setattr(DECODE, slow)
    pending = step.begin([record(make_frame(image=grey(0)), i) for i in range(2)])
    with pytest.raises(Unfinished):
        pending.results(0.0)
    go.set()
    first = pending.results(30.0)
    assert [event(result).source.offset for result in first] == [0, 1]
    assert pending.results(30.0) == first


def test_a_cancelled_batch_lets_go_of_what_has_not_started(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    go, started = threading.Event(), threading.Semaphore(0)
    decoded = []

    def slow(*_args: object, **_kwargs: object) -> Image:
        decoded.append(1)
        started.release()
        assert go.wait(30)
        return grey(0)

    monkeypatch.setattr(DECODE, slow)
    step = make_step(tmp_path, Metrics())
    pending = step.begin([record(make_frame(image=grey(0)), i) for i in range(8)])
    for _ in range(2):  # both threads are busy
        assert started.acquire(timeout=30)
    pending.cancel()
    go.set()
    step.close()
    assert len(decoded) == 2


def test_inferences_and_the_time_of_each_stage_are_counted(step: PictureStep, metrics: Metrics) -> None:
    step.begin([record(make_frame(image=grey(0)), i) for i in range(4)]).results()
    value = metrics.registry.get_sample_value
    assert value("inference_requests_total", {"model_name": "gate", "status": "ok"}) == 4
    assert (value("inference_duration_seconds_count", {"model_name": "gate"}) or 0) >= 1
    for stage in ("decode", "prepare", "inference", "postprocess"):
        assert (value("vss_stage_seconds_total", {"step": "detect", "stage": stage}) or 0) > 0
