"""What `vss worker quality` publishes: that a sensor's or camera's input went bad, and that it is well again."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated, Literal

from pydantic import Field

from vss.schemas.events import SourceCoordinates

QUALITY_TYPE = "vss.quality.v1"

Problem = Literal["stuck", "silent", "out_of_range", "clock_jump", "frozen", "black", "blurred"]


def _is_none(value: object) -> bool:
    return value is None


@dataclass(frozen=True, slots=True, kw_only=True)
class QualityEvent:
    """The start or the end of one problem: two events for each, however many records it lasts.

    Attributes:
        id: Equals the header `ce_id`; a problem's start and its end have ids of their own, the same whoever tells.
        source_id: The sensor or camera.
        source_kind: What that is.
        problem: What is wrong: a sensor's value does not change (`stuck`), lies outside its physical range
            (`out_of_range`), its clock leaps (`clock_jump`); a camera's picture does not change (`frozen`), is `black`
            or `blurred`; either sends nothing (`silent`).
        state: Whether it starts or ends.
        feature: The feature it is about; left out where it is about all.
        since: When it started, RFC 3339.
        until: When it ended, RFC 3339; left out of a start.
        duration_s: How long it lasted; left out of a start.
        detail: The same in words, with the values that show it.
        timestamp: When the event was made, RFC 3339.
        source: The record that it started or ended with; of a start of `silent`, the last one before.
    """

    id: str
    source_id: str
    source_kind: Literal["sensor", "camera"]
    problem: Problem
    state: Literal["start", "end"]
    feature: Annotated[str | None, Field(exclude_if=_is_none)] = None
    since: str
    until: Annotated[str | None, Field(exclude_if=_is_none)] = None
    duration_s: Annotated[float | None, Field(exclude_if=_is_none)] = None
    detail: str
    timestamp: str
    source: SourceCoordinates
