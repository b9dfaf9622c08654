"""A frame that was seen before is answered from a real Redis, by the step that workers run."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from tests.model_store.detection.tiny_models import write_model, yolov8_output
from tests.workers.result_cache.opened import Open, Opened
from vss.codecs.events import decode_event
from vss.config import Limits, ModelSettings, RedisSettings
from vss.logs import get_logger
from vss.model_store.serving.serving import Serving
from vss.schemas.envelope import Message, Outcome, Record
from vss.schemas.events import DetectionEvent
from vss.testing import ManualClock, make_frame
from vss.workers.pictures.kinds import DETECT
from vss.workers.pictures.step import PictureStep

# Both boxes move with the picture's brightness, so that another picture has another answer.
OUTPUT = yolov8_output((20, 32, 16, 8, 1, 0.9), (50, 50, 8, 8, 0, 0.4))
MOVING = np.zeros_like(OUTPUT)
MOVING[0, :2] = 10


class Worker:
    """A step with its models and its cache."""

    def __init__(self, opened: Opened, file: Path, resources: ExitStack, **settings: Any) -> None:
        self.opened = opened
        model = ModelSettings(device="cpu", threads=2, **settings)
        serving = Serving.of(model, metrics=opened.metrics, logger=get_logger("test"), cache=opened.cache)
        serving.serve(str(file), DETECT.task)
        self._warm = self._inferences()
        self._step = PictureStep(
            DETECT.name,
            task=DETECT.task,
            server=serving,
            events=DETECT.events,
            topic_prefix="yard.",
            group="night",
            limits=Limits(),
            metrics=opened.metrics,
            clock=ManualClock(),
        )
        resources.callback(self._step.close)

    @property
    def inferences(self) -> int:
        return self._inferences() - self._warm

    def see(self, *frames: Message) -> list[DetectionEvent]:
        """The events of one micro-batch; what was found is in the cache when it returns."""
        written = self.opened.writes("written")
        before = self.inferences
        records = [Record(f.topic, 0, i, f.key, f.value, f.headers) for i, f in enumerate(frames)]
        events = []
        for result in self._step.begin(records).results(30):
            assert isinstance(result, Outcome)
            events.append(decode_event(DetectionEvent, result.messages[0].value))
        self.opened.wait_for_writes(written + self.inferences - before)
        return events

    def _inferences(self) -> int:
        families = self.opened.metrics.inference_requests.collect()
        samples = [sample for family in families for sample in family.samples if sample.name.endswith("_total")]
        return int(sum(sample.value for sample in samples))


@pytest.fixture
def resources() -> Iterator[ExitStack]:
    with ExitStack() as stack:
        yield stack


@pytest.fixture
def file(tmp_path: Path) -> Path:
    return write_model(tmp_path / "gate.onnx", OUTPUT, brightness=MOVING, metadata={"names": "{0: 'cat', 1: 'dog'}"})


@pytest.fixture
def opened(redis_settings: RedisSettings, open_: Open) -> Opened:
    opened = open_(redis_settings)
    opened.wait_up()
    return opened


def test_the_same_picture_costs_one_inference(opened: Opened, file: Path, resources: ExitStack) -> None:
    worker = Worker(opened, file, resources)
    (first,) = worker.see(make_frame("gate", seq=1))
    # Another camera, another time, the same bytes.
    same = make_frame("gate", seq=1)
    later = make_frame("yard", seq=2)
    (second,) = worker.see(Message(later.topic, later.key, same.value, later.headers))
    assert (first.cached, second.cached) == (False, True)
    assert worker.inferences == 1
    assert first.objects == second.objects
    assert len(first.objects) == 1
    assert (second.camera_id, second.model_name, second.model_version) == ("yard", "gate", first.model_version)
    assert (second.width, second.height) == (first.width, first.height) == (320, 240)


def test_another_picture_is_another_answer(opened: Opened, file: Path, resources: ExitStack) -> None:
    worker = Worker(opened, file, resources)
    worker.see(make_frame("gate", seq=1))
    old, new = worker.see(make_frame("gate", seq=1), make_frame("gate", seq=2))
    assert (old.cached, new.cached, worker.inferences) == (True, False, 2)
    assert old.objects != new.objects


@pytest.mark.parametrize(
    "changed", [{"confidence": 0.3}, {"iou": 0.9}, {"classes": ("cat",)}, {"max_detections": 1}], ids=str
)
def test_another_threshold_never_hits(
    opened: Opened,
    redis_settings: RedisSettings,
    open_: Open,
    file: Path,
    resources: ExitStack,
    changed: dict[str, Any],
) -> None:
    Worker(opened, file, resources).see(make_frame("gate", seq=1))
    other = open_(redis_settings)
    other.wait_up()
    worker = Worker(other, file, resources, **changed)
    assert [event.cached for event in worker.see(make_frame("gate", seq=1))] == [False]
    assert worker.inferences == 1
    assert [event.cached for event in worker.see(make_frame("gate", seq=1))] == [True]


def test_another_model_never_hits(opened: Opened, tmp_path: Path, file: Path, resources: ExitStack) -> None:
    Worker(opened, file, resources).see(make_frame("gate", seq=1))
    moved = yolov8_output((40, 32, 16, 8, 1, 0.9))
    (tmp_path / "other").mkdir()
    other = write_model(tmp_path / "other" / "gate.onnx", moved, metadata={"names": "{0: 'cat', 1: 'dog'}"})
    (event,) = Worker(opened, other, resources).see(make_frame("gate", seq=1))
    assert not event.cached


def test_a_second_worker_answers_from_what_the_first_has_seen(
    opened: Opened, redis_settings: RedisSettings, open_: Open, file: Path, resources: ExitStack
) -> None:
    Worker(opened, file, resources).see(make_frame("gate", seq=1))
    other = open_(redis_settings)
    other.wait_up()
    worker = Worker(other, file, resources)
    (event,) = worker.see(make_frame("gate", seq=1))
    assert (event.cached, worker.inferences) == (True, 0)
