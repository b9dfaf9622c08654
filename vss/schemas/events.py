"""What workers publish: one event a record, in JSON, with the field names users know."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated, Any

from pydantic import Field

DETECTION_TYPE = "vss.detection.v1"
CLASSIFICATION_TYPE = "vss.classification.v1"
RESULT_TYPE = "vss.result.v1"
SHED_TYPE = "vss.shed.v1"

THEN_SOURCE = "/then"
"""Follows the group in `ce_source` of what is no outcome of its own: one outcome a frame."""


def _is_none(value: object) -> bool:
    return value is None


# What most events do not have is left out of their JSON.
_LeftOut = Field(exclude_if=_is_none)


@dataclass(frozen=True, slots=True)
class SourceCoordinates:
    """The record an outcome belongs to: joins output to input."""

    topic: str
    partition: int
    offset: int


@dataclass(frozen=True, slots=True, kw_only=True)
class ClassPrediction:
    """A class that a classifier sees in a picture.

    Attributes:
        class_: `class` in JSON.
        confidence: 0..1; over all classes they sum to 1.
    """

    class_: Annotated[str, Field(alias="class")]
    class_id: int
    confidence: float


@dataclass(frozen=True, slots=True, kw_only=True)
class ObjectClassification:
    """What a second model says about one object of a detection.

    Attributes:
        predictions: The most confident first.
        inference_time: Seconds the model took for this object.
        embedding: Of the object; left out unless asked for.
    """

    predictions: tuple[ClassPrediction, ...]
    model_name: str
    model_version: str
    inference_time: float
    embedding: Annotated[tuple[float, ...] | None, _LeftOut] = None


@dataclass(frozen=True, slots=True, kw_only=True)
class DetectedObject:
    """One object in a picture.

    Attributes:
        class_: `class` in JSON.
        confidence: 0..1.
        bbox: x1, y1, x2, y2 in pixels of the published frame, origin top left.
        center: x, y in pixels of the published frame.
        classification: What a second model says about it; left out where none was asked.
    """

    class_: Annotated[str, Field(alias="class")]
    class_id: int
    confidence: float
    bbox: tuple[float, float, float, float]
    center: tuple[float, float]
    classification: Annotated[ObjectClassification | None, _LeftOut] = None


@dataclass(frozen=True, slots=True, kw_only=True)
class FrameEvent:
    """What every event about a frame says.

    Attributes:
        id: Equals the header `ce_id`; the same input, model and version give the same id.
        captured_at: When the frame was captured, RFC 3339; None when the producer did not say.
        epoch: `vss_epoch` of the frame.
        seq: `vss_seq` of the frame.
        width: Pixels of the published frame.
        height: Pixels of the published frame.
        inference_time: Seconds the model took for this frame.
        processing_time: Seconds from the decoding of this frame to its event.
        timestamp: When the event was made, RFC 3339.
        source: The frame's topic, partition and offset.
        embedding: What the layer that `--features` names puts out; left out unless asked for.
        cached: Whether the same picture was answered before, and the model not asked again.
    """

    id: str
    camera_id: str
    captured_at: str | None
    epoch: int | None
    seq: int | None
    width: int
    height: int
    model_name: str
    model_version: str
    inference_time: float
    processing_time: float
    timestamp: str
    source: SourceCoordinates
    embedding: Annotated[tuple[float, ...] | None, _LeftOut] = None
    cached: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class DetectionEvent(FrameEvent):
    """What a detector found in one frame; a frame without objects still yields an event."""

    objects: tuple[DetectedObject, ...]
    total_objects: int


@dataclass(frozen=True, slots=True, kw_only=True)
class ObjectPlace:
    """The object of a detection that a classification is about.

    Attributes:
        index: Its place in the detection's `objects`.
        class_: `class` in JSON: what the detector says it is.
        bbox: x1, y1, x2, y2 in pixels of the published frame.
    """

    index: int
    class_: Annotated[str, Field(alias="class")]
    bbox: tuple[float, float, float, float]


@dataclass(frozen=True, slots=True, kw_only=True)
class ClassificationEvent(FrameEvent):
    """What a classifier sees in one frame, or in one object of it.

    Attributes:
        predictions: The most confident first.
        top_prediction: The class of the first.
        confidence: Of the first, 0..1.
        object: The object it is about; left out for a whole frame.
        inference_time: Seconds the model took for this frame or object.
    """

    predictions: tuple[ClassPrediction, ...]
    top_prediction: str
    confidence: float
    object: Annotated[ObjectPlace | None, _LeftOut] = None


@dataclass(frozen=True, slots=True, kw_only=True)
class ResultEvent(FrameEvent):
    """What a task of the user's own (entry point `vss.tasks`) made of one frame.

    Attributes:
        task: Name of the task.
        result: What the task returned.
    """

    task: str
    result: dict[str, Any]


@dataclass(frozen=True, slots=True, kw_only=True)
class ShedNote:
    """A record that was left out on purpose.

    Attributes:
        group: The consumer group that left it out.
        reason: Why, such as `too_old`.
        age_ms: How old the record was, milliseconds since capture.
    """

    id: str
    key: str
    group: str
    reason: str
    age_ms: float
    timestamp: str
    source: SourceCoordinates
