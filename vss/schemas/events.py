"""What workers publish: one event a record, in JSON, with the field names users know."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated

from pydantic import Field

DETECTION_TYPE = "vss.detection.v1"
SHED_TYPE = "vss.shed.v1"


@dataclass(frozen=True, slots=True)
class SourceCoordinates:
    """The record an outcome belongs to: joins output to input."""

    topic: str
    partition: int
    offset: int


@dataclass(frozen=True, slots=True, kw_only=True)
class DetectedObject:
    """One object in a picture.

    Attributes:
        class_: `class` in JSON.
        confidence: 0..1.
        bbox: x1, y1, x2, y2 in pixels of the published frame, origin top left.
        center: x, y in pixels of the published frame.
    """

    class_: Annotated[str, Field(alias="class")]
    class_id: int
    confidence: float
    bbox: tuple[float, float, float, float]
    center: tuple[float, float]


@dataclass(frozen=True, slots=True, kw_only=True)
class DetectionEvent:
    """What a detector found in one frame; a frame without objects still yields an event.

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
    """

    id: str
    camera_id: str
    captured_at: str | None
    epoch: int | None
    seq: int | None
    width: int
    height: int
    objects: tuple[DetectedObject, ...]
    total_objects: int
    model_name: str
    model_version: str
    inference_time: float
    processing_time: float
    timestamp: str
    source: SourceCoordinates


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
