"""Events about sensors as workers write them."""

from __future__ import annotations

from vss.codecs.events import encode_event
from vss.codecs.headers import event_headers, format_time
from vss.config import KafkaSettings
from vss.schemas.envelope import Message
from vss.schemas.events import SourceCoordinates
from vss.schemas.telemetry import (
    ANOMALY_TYPE,
    AffectedFeature,
    AnomalyEvent,
    ForecastEvent,
    WindowSpan,
)
from vss.schemas.topics import ANOMALIES
from vss.testing.readings import PERIOD_MS, START_MS

TIME = "2026-03-01T12:00:00.500000Z"


def span(first_seq: int, last_seq: int, *, first_offset: int | None = None, imputed: int = 0) -> WindowSpan:
    """The window of a sensor that is alone in its partition: a reading's offset is its number."""
    return WindowSpan(
        readings=last_seq - first_seq + 1,
        first_offset=first_seq if first_offset is None else first_offset,
        start=format_time((START_MS + first_seq * PERIOD_MS) * 1_000_000),
        end=format_time((START_MS + last_seq * PERIOD_MS) * 1_000_000),
        imputed=imputed,
    )


def anomaly(
    window: WindowSpan, source: SourceCoordinates, *, sensor: str = "pump-1", severity: str = "high"
) -> AnomalyEvent:
    found = severity != "none"
    return AnomalyEvent(
        id=f"{sensor}-{source.partition}-{source.offset}",
        sensor_id=sensor,
        captured_at=window.end,
        window=window,
        is_anomaly=found,
        anomaly_score=0.25 if found else 0.02,
        threshold=0.1,
        confidence=0.975 if found else 0.002,
        affected_features=(
            (AffectedFeature(feature="pressure", share=0.75), AffectedFeature(feature="flow", share=0.25))
            if found
            else ()
        ),
        severity=severity,  # type: ignore[arg-type]  # the test's business
        model_name="pump",
        model_version="2",
        inference_time=0.001,
        processing_time=0.002,
        timestamp=TIME,
        source=source,
    )


def forecast(window: WindowSpan, source: SourceCoordinates, *, sensor: str = "pump-1") -> ForecastEvent:
    return ForecastEvent(
        id=f"f-{sensor}-{source.offset}",
        sensor_id=sensor,
        captured_at=window.end,
        window=window,
        horizon=2,
        times=("2026-03-01T12:00:01.000000Z", "2026-03-01T12:00:02.000000Z"),
        predictions={"pressure": (1.0, 1.5)},
        confidence_intervals={"pressure": ((0.9, 1.1), (1.25, 1.75))},
        confidence_level=0.9,
        model_name="next",
        model_version="1",
        inference_time=0.001,
        processing_time=0.002,
        timestamp=TIME,
        source=source,
    )


def anomaly_message(kafka: KafkaSettings, event: AnomalyEvent, *, group: str) -> Message:
    headers = event_headers(id=event.id, type=ANOMALY_TYPE, source=f"/groups/{group}", time=TIME, traceparent=None)
    return Message(ANOMALIES.name(kafka.topic_prefix), event.sensor_id.encode(), encode_event(event), headers)
