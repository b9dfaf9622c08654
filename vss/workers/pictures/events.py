"""From what a model says about a frame to the records that are written: one event a frame, and what follows from it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Final, Protocol

from vss.codecs.event_id import event_id
from vss.codecs.events import encode_event
from vss.codecs.headers import format_time
from vss.errors import InferenceFailed
from vss.model_store.runner.answer import Answer
from vss.model_store.serving.requests import Served
from vss.schemas import topics
from vss.schemas.envelope import Record
from vss.schemas.events import (
    THEN_SOURCE,
    ClassificationEvent,
    ClassPrediction,
    DetectedObject,
    DetectionEvent,
    ObjectPlace,
    ResultEvent,
    SourceCoordinates,
)
from vss.schemas.frame import FrameHeader
from vss.schemas.topics import Topic

SECONDS_DIGITS: Final = 6
"""Of the times in events."""
_EMBEDDING_DIGITS: Final = 6


@dataclass(frozen=True, slots=True)
class Made:
    """An event to write.

    Attributes:
        topic: Where to.
        event: Its value.
        source: What follows the group in `ce_source`.
    """

    topic: Topic
    event: Any
    source: str = ""


class EventMaker(Protocol):
    """Makes the events of one task."""

    def made(self, common: dict[str, Any], value: Any) -> Sequence[Made]:
        """The event of a frame first, then what else is written.

        Args:
            common: Fields that every event of a frame has.
            value: What the model's task made of the frame.
        """


def common_fields(record: Record, frame: FrameHeader, served: Served[Any], now_ns: int) -> dict[str, Any]:
    """The fields that every event of a frame has.

    Args:
        record: The frame.
        frame: Its header.
        served: What was found in it, and who found it.
        now_ns: When the event is made, nanoseconds since the epoch.
    """
    answer = served.answer
    return {
        "id": event_id(record, served.name, served.version),
        "camera_id": frame.camera_id,
        "captured_at": format_time(frame.captured_ns) if frame.captured_ns is not None else None,
        "epoch": frame.epoch,
        "seq": frame.seq,
        "width": answer.width,
        "height": answer.height,
        "model_name": served.name,
        "model_version": served.version,
        "inference_time": round(answer.inference_s, SECONDS_DIGITS),
        "processing_time": round(answer.processing_s, SECONDS_DIGITS),
        "timestamp": format_time(now_ns),
        "source": SourceCoordinates(record.topic, record.partition, record.offset),
        "embedding": embedding_of(answer),
        "cached": served.cached,
    }


def written(event: Any, task: str) -> bytes:
    """JSON of what a task found, UTF-8.

    Args:
        event: An event or a line, as a dataclass.
        task: Whose result is in it.

    Raises:
        InferenceFailed: The result holds what JSON has not.
    """
    try:
        return encode_event(event)
    except Exception as error:  # pydantic's error, or that of whatever object a task put there
        raise InferenceFailed(
            f"the result of task {task!r} cannot be written as JSON: {error}",
            fix="let the task return text, numbers, lists and dicts of Python's own",
        ) from error


def embedding_of(answer: Answer[Any]) -> tuple[float, ...] | None:
    """An answer's embedding as it is written: finer digits than a float32 has would be bytes without news."""
    if answer.embedding is None:
        return None
    return tuple(round(number, _EMBEDDING_DIGITS) for number in answer.embedding.tolist())


class DetectionEvents:
    """One `DetectionEvent` a frame, and a `ClassificationEvent` for each object that a second model has classified."""

    def made(self, common: dict[str, Any], value: tuple[DetectedObject, ...]) -> Sequence[Made]:
        """See `EventMaker.made`."""
        event = DetectionEvent(**common, objects=value, total_objects=len(value))
        classified = [(i, one) for i, one in enumerate(value) if one.classification is not None]
        return [
            Made(topics.DETECTIONS, event),
            *(Made(topics.CLASSIFICATIONS, _of_object(common, i, one), THEN_SOURCE) for i, one in classified),
        ]


class ClassificationEvents:
    """One `ClassificationEvent` a frame."""

    def made(self, common: dict[str, Any], value: tuple[ClassPrediction, ...]) -> Sequence[Made]:
        """See `EventMaker.made`."""
        event = ClassificationEvent(
            **common,
            predictions=value,
            top_prediction=value[0].class_,
            confidence=value[0].confidence,
            object=None,
        )
        return [Made(topics.CLASSIFICATIONS, event)]


class ResultEvents:
    """One `ResultEvent` a frame, for tasks of the user's own.

    Args:
        task: Its name.
    """

    def __init__(self, task: str) -> None:
        self._task = task

    def made(self, common: dict[str, Any], value: dict[str, Any]) -> Sequence[Made]:
        """See `EventMaker.made`."""
        return [Made(topics.RESULTS, ResultEvent(**common, task=self._task, result=value))]


def _of_object(common: dict[str, Any], index: int, one: DetectedObject) -> ClassificationEvent:
    found = one.classification
    assert found is not None  # noqa: S101 - the caller has looked
    return ClassificationEvent(
        **(
            common
            | {
                "id": f"{common['id']}-{index}",
                "model_name": found.model_name,
                "model_version": found.model_version,
                "inference_time": found.inference_time,
                "embedding": found.embedding,
            }
        ),
        predictions=found.predictions,
        top_prediction=found.predictions[0].class_,
        confidence=found.predictions[0].confidence,
        object=ObjectPlace(index=index, class_=one.class_, bbox=one.bbox),
    )
