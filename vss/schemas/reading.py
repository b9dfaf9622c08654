"""A reading: what a sensor says at one moment."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated

from pydantic import Field

READING_TYPE = "vss.reading.v1"


@dataclass(frozen=True, slots=True, kw_only=True)
class Reading:
    """What a sensor measured at one moment.

    A value that is null, NaN or infinite counts as missing, and so does a feature that is not there; a model's rule
    says what stands in for it. Features that a model does not know are passed over.

    Attributes:
        sensor_id: Equals the record's key.
        ts: When it was measured: RFC 3339, or milliseconds since the epoch.
        values: A number, or null, by feature.
    """

    sensor_id: str
    ts: Annotated[str, Field(json_schema_extra={"format": "date-time"})] | int
    values: dict[str, float | None]
