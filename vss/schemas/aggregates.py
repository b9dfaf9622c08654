"""What `vss worker aggregate` publishes: what a sensor's feature, or a camera's class, did in a span of time."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from vss.schemas.events import SourceCoordinates

AGGREGATE_TYPE = "vss.aggregate.v1"
ALL_CLASSES = "*"
"""The name under which a camera's objects of all classes are counted."""


@dataclass(frozen=True, slots=True, kw_only=True)
class AggregateEvent:
    """What was measured in one span of time (a tumbling window); spans of a width neither overlap nor leave gaps.

    For a sensor, the values of one feature. For a camera, the number of objects of one class in each frame: `sum` is
    how many were seen, `mean` how many a frame, and a frame without any counts as 0.

    Attributes:
        id: Equals the header `ce_id`; the same span of the same source gives the same id.
        source_id: The sensor or camera.
        kind: What that is.
        name: The feature or class; `*` stands for all classes.
        start: Of the span, RFC 3339; a multiple of its width since the epoch.
        end: Of the span, exclusive, RFC 3339.
        width_s: Of the span, seconds.
        count: Values, or frames.
        last: The newest by its own time.
        timestamp: When the event was made, RFC 3339.
        source: Topic, partition and offset of the newest record in the span.
    """

    id: str
    source_id: str
    kind: Literal["sensor", "camera"]
    name: str
    start: str
    end: str
    width_s: int
    count: int
    sum: float
    min: float
    mean: float
    max: float
    last: float
    timestamp: str
    source: SourceCoordinates
