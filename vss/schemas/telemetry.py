"""What workers publish about sensors: anomalies and forecasts, each about the window of readings it was made of."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from vss.schemas.events import SourceCoordinates

ANOMALY_TYPE = "vss.anomaly.v1"
FORECAST_TYPE = "vss.forecast.v1"

Severity = Literal["none", "low", "medium", "high", "critical"]


@dataclass(frozen=True, slots=True, kw_only=True)
class WindowSpan:
    """The readings an event was made of: those of its sensor from `first_offset` to the event's source.

    Attributes:
        readings: How many.
        first_offset: The oldest of them in the source partition: what a reader joins events to readings by.
        start: Time of the oldest, RFC 3339.
        end: Time of the newest, RFC 3339.
        imputed: Values that were missing and stood in for.
    """

    readings: int
    first_offset: int
    start: str
    end: str
    imputed: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class SensorEvent:
    """What every event about a sensor's window says.

    Attributes:
        id: Equals the header `ce_id`; the same input, model and version give the same id.
        captured_at: Time of the newest reading, RFC 3339.
        window: The readings it was made of.
        inference_time: Seconds the model took for this window.
        processing_time: Seconds from the decoding of the newest reading to its event.
        timestamp: When the event was made, RFC 3339.
        source: Topic, partition and offset of the newest reading.
    """

    id: str
    sensor_id: str
    captured_at: str
    window: WindowSpan
    model_name: str
    model_version: str
    inference_time: float
    processing_time: float
    timestamp: str
    source: SourceCoordinates


@dataclass(frozen=True, slots=True, kw_only=True)
class AffectedFeature:
    """A feature's part in an anomaly.

    Attributes:
        share: Of the anomaly score, 0..1; over all features they sum to 1.
    """

    feature: str
    share: float


@dataclass(frozen=True, slots=True, kw_only=True)
class AnomalyEvent(SensorEvent):
    """Whether a sensor's newest readings are unlike what is normal; a normal window yields an event too.

    Attributes:
        anomaly_score: 0 or more; what `threshold` is held against.
        threshold: Above it, the window is an anomaly.
        confidence: How sure it is that the window is an anomaly, 0..1: 0.5 at the threshold, near 0 far below it.
        affected_features: The largest share first; empty where the window is normal.
        severity: By the levels that training calibrated; `none` where the window is normal.
    """

    is_anomaly: bool
    anomaly_score: float
    threshold: float
    confidence: float
    affected_features: tuple[AffectedFeature, ...]
    severity: Severity


@dataclass(frozen=True, slots=True, kw_only=True)
class ForecastEvent(SensorEvent):
    """What a sensor's features will be.

    Attributes:
        horizon: Steps that are foretold.
        times: When each step is, RFC 3339.
        predictions: By feature, a value a step.
        confidence_intervals: By feature, low and high a step.
        confidence_level: Share of values that fall into the intervals, 0..1.
    """

    horizon: int
    times: tuple[str, ...]
    predictions: dict[str, tuple[float, ...]]
    confidence_intervals: dict[str, tuple[tuple[float, float], ...]]
    confidence_level: float
