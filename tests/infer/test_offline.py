from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Sequence
from concurrent.futures import Future
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from vss.codecs.images import Image
from vss.errors import InferenceFailed, UndecodableImage
from vss.model_store.runner.answer import Answer
from vss.model_store.runner.picture import Picture
from vss.model_store.serving.requests import Request, Served, Server
from vss.schemas.events import DetectedObject
from vss.workers.offline.infer import BATCH, MAX_BATCH_PIXELS, Found
from vss.workers.offline.infer import infer as infer_with
from vss.workers.offline.inputs import BadInput, InputFile, InputPicture
from vss.workers.offline.lines import json_line

FILE = InputFile(Path("dir/clip.mp4"), Path("clip.mp4"))


def thing(class_id: int) -> DetectedObject:
    return DetectedObject(
        class_=f"thing{class_id}", class_id=class_id, confidence=0.75, bbox=(1.0, 2.0, 3.0, 4.5), center=(2.0, 3.25)
    )


class FakeDetector:
    """Loads each picture, smaller where it may, and finds one object named after its level."""

    def __init__(self, *, fail_at: int = -1, answer: bool = True) -> None:
        self.batches: list[int] = []
        self.futures: list[Future[Served[Any]]] = []
        self._fail_at = fail_at
        self._answer = answer

    def submit(self, requests: Sequence[Request]) -> list[Future[Served[Any]]]:
        assert all(request.task == "detection" for request in requests)
        self.batches.append(len(requests))
        started = [self._start(request.picture) for request in requests]
        self.futures += started
        return started

    def close(self) -> None:
        pass

    def _start(self, picture: Picture) -> Future[Served[Any]]:
        future: Future[Served[Any]] = Future()
        if not self._answer:
            return future
        level = int(picture.load((1, 1))[0, 0, 0])
        if level == self._fail_at:
            future.set_exception(InferenceFailed("the model raised"))
        else:
            future.set_result(Served(Answer((thing(level),), 0.0, 0.0, picture.width, picture.height), "m", "1"))
        return future


def infer(
    pictures: Iterable[InputPicture | BadInput], server: Server, *, keep_images: bool = False
) -> Iterator[Found | BadInput]:
    return infer_with(pictures, server, task="detection", keep_images=keep_images)


def numbered(frame: int, width: int = 8, height: int = 6) -> InputPicture:
    def load(at_least: tuple[int, int]) -> Image:
        return np.full((at_least[1], at_least[0], 3), frame, np.uint8)

    return InputPicture(FILE, frame, Picture(width, height, load))


def test_every_picture_has_one_result_in_order() -> None:
    detector = FakeDetector()

    results = list(infer((numbered(frame) for frame in range(3 * BATCH + 1)), detector))

    assert [(one.frame, one.value[0].class_id) for one in results if isinstance(one, Found)] == [
        (frame, frame) for frame in range(3 * BATCH + 1)
    ]
    assert detector.batches == [BATCH, BATCH, BATCH, 1]


@pytest.mark.parametrize("bad_at", [0, BATCH - 1, BATCH, 2 * BATCH])
def test_what_cannot_be_read_or_detected_in_is_told_in_its_place(bad_at: int) -> None:
    pictures: list[InputPicture | BadInput] = [numbered(frame) for frame in range(2 * BATCH + 1)]
    pictures[bad_at] = BadInput(FILE, bad_at, UndecodableImage("cut"))

    results = list(infer(pictures, FakeDetector(fail_at=2)))

    assert [one.frame for one in results] == list(range(2 * BATCH + 1))
    assert {one.frame for one in results if isinstance(one, BadInput)} == {bad_at, 2}


def test_only_two_batches_are_ever_in_memory() -> None:
    read = 0

    def counted() -> Iterator[InputPicture]:
        nonlocal read
        for frame in range(20 * BATCH):
            read += 1
            yield numbered(frame)

    for returned, _ in enumerate(infer(counted(), FakeDetector())):
        assert read - returned <= 2 * BATCH


def test_large_pictures_make_smaller_batches() -> None:
    detector = FakeDetector()
    side = int((MAX_BATCH_PIXELS / 2) ** 0.5) + 1

    list(infer((numbered(frame, side, side) for frame in range(5)), detector))

    assert detector.batches == [2, 2, 1]


def test_pictures_are_kept_at_their_full_size_only_where_asked() -> None:
    (kept,) = infer([numbered(7)], FakeDetector(), keep_images=True)
    (not_kept,) = infer([numbered(7)], FakeDetector())

    assert isinstance(kept, Found)
    assert isinstance(not_kept, Found)
    assert not_kept.image is None
    assert kept.image is not None
    assert kept.image.shape == (6, 8, 3)
    assert (kept.image == 7).all()


def test_a_consumer_that_stops_early_leaves_no_work_behind() -> None:
    detector = FakeDetector()
    results = infer((numbered(frame) for frame in range(4 * BATCH)), detector)
    next(results)
    waiting = FakeDetector(answer=False)
    started = infer([*(numbered(frame) for frame in range(BATCH)), _Interrupting()], waiting)  # type: ignore[list-item]

    with pytest.raises(KeyboardInterrupt):
        next(started)

    assert all(future.cancelled() for future in waiting.futures)
    assert len(waiting.futures) == BATCH


class _Interrupting:
    @property
    def picture(self) -> Picture:
        raise KeyboardInterrupt


def test_a_bug_is_not_taken_for_a_bad_picture() -> None:
    def load(_at_least: tuple[int, int]) -> Image:
        raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        list(infer([InputPicture(FILE, 0, Picture(1, 1, load))], FakeDetector()))


def test_a_json_line_has_the_documented_shape() -> None:
    (found,) = infer([numbered(5)], FakeDetector())
    assert isinstance(found, Found)

    assert json.loads(json_line(found, "detection")) == {
        "source": "dir/clip.mp4",
        "frame": 5,
        "objects": [
            {"class": "thing5", "class_id": 5, "confidence": 0.75, "bbox": [1.0, 2.0, 3.0, 4.5], "center": [2.0, 3.25]}
        ],
    }
    assert "\n" not in json_line(found, "detection")
