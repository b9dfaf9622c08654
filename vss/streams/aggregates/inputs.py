"""What records say to an aggregate: a time and numbers by name."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Protocol

from vss.codecs.events import decode_event
from vss.codecs.headers import parse_time
from vss.codecs.readings import ReadingLimits, decode_readings
from vss.errors import MalformedEvent, MissingKey
from vss.schemas.aggregates import ALL_CLASSES
from vss.schemas.envelope import Record
from vss.schemas.events import DetectionEvent
from vss.schemas.topics import DETECTIONS, TELEMETRY, Topic
from vss.streams.aggregates.events import Kind


@dataclass(frozen=True, slots=True)
class Measured:
    """What a record says.

    Attributes:
        ts_ms: When, milliseconds since the epoch.
        values: Finite numbers by name.
    """

    ts_ms: int
    values: Mapping[str, float]


class Measure(Protocol):
    """One kind of source.

    Attributes:
        kind: What it is.
        topic: Where its records are.
    """

    kind: Kind
    topic: Topic

    def read(self, record: Record) -> Measured:
        """What a record says.

        Raises:
            BadRecord: It cannot be processed.
        """


class SensorReadings:
    """The features of sensors (see `Measure`).

    Args:
        limits: What a reading may be.
    """

    kind: Kind = "sensor"
    topic = TELEMETRY

    def __init__(self, limits: ReadingLimits) -> None:
        self._limits = limits

    def read(self, record: Record) -> Measured:
        """See `Measure.read`."""
        readings = decode_readings([record.value], [record.key], [record.timestamp_ms], self._limits)
        if readings.errors:
            raise readings.errors[0]
        values = {name: float(v) for name, v in readings.values[0].items() if v is not None and math.isfinite(v)}
        return Measured(int(readings.ts_ms[0]), values)


class CameraObjects:
    """The objects that detectors find in cameras' frames, by class (see `Measure`)."""

    kind: Kind = "camera"
    topic = DETECTIONS

    def read(self, record: Record) -> Measured:
        """See `Measure.read`. A frame counts at the time when it was captured, else when its event was made."""
        if not record.key:
            raise MissingKey("a detection needs its camera id as the key")
        event = decode_event(DetectionEvent, record.value)
        try:
            ts_ms = parse_time(event.captured_at or event.timestamp) // 1_000_000
        except ValueError as error:
            raise MalformedEvent(f"captured_at: {error}") from error
        counts = Counter(found.class_ for found in event.objects)
        return Measured(ts_ms, {ALL_CLASSES: float(len(event.objects)), **{n: float(c) for n, c in counts.items()}})
