"""The topic catalogue: what exists, how it is keyed, kept and limited, and what its records hold."""

from __future__ import annotations

import enum
from dataclasses import dataclass

from vss.schemas.aggregates import AGGREGATE_TYPE, AggregateEvent
from vss.schemas.events import (
    CLASSIFICATION_TYPE,
    DETECTION_TYPE,
    RESULT_TYPE,
    SHED_TYPE,
    ClassificationEvent,
    DetectionEvent,
    ResultEvent,
    ShedNote,
)
from vss.schemas.models import (
    ACTIVATION_TYPE,
    MODEL_EVENT_TYPE,
    VERDICT_TYPE,
    ModelActivation,
    ModelEvent,
    ModelVerdict,
)
from vss.schemas.quality import QUALITY_TYPE, QualityEvent
from vss.schemas.reading import READING_TYPE, Reading
from vss.schemas.telemetry import ANOMALY_TYPE, FORECAST_TYPE, AnomalyEvent, ForecastEvent

_HOUR_MS = 3_600_000
_DAY_MS = 24 * _HOUR_MS


class Role(enum.StrEnum):
    """What a topic is for."""

    INPUT = "input"
    RESULT = "result"
    NOTE = "note"
    CONTROL = "control"
    DEAD_LETTER = "dead_letter"


@dataclass(frozen=True, slots=True, kw_only=True)
class Topic:
    """One topic.

    Attributes:
        short: Its name without the prefix that `kafka.topic_prefix` sets.
        summary: What its records are, in a sentence.
        key: What the key holds.
        payload: The dataclass of its JSON values; None where the value is not JSON.
        ce_type: CloudEvents type of its records; None where the value is not JSON.
        content_types: What the value may be encoded as.
        partitions: For a new topic.
        retention_ms: For a new topic.
        max_message_bytes: For a new topic; the largest record batch it takes.
        cleanup_policy: `delete` or `compact`.
    """

    short: str
    role: Role
    summary: str
    key: str
    payload: type | None
    partitions: int
    retention_ms: int
    content_types: tuple[str, ...] = ("application/json",)
    max_message_bytes: int = 1 << 20
    cleanup_policy: str = "delete"
    ce_type: str | None = None

    def name(self, prefix: str) -> str:
        """The topic's name on the cluster."""
        return prefix + self.short


FRAMES = Topic(
    short="frames",
    role=Role.INPUT,
    summary="One captured picture a record; what is known about it travels in the headers.",
    key="camera id",
    payload=None,
    content_types=("image/jpeg", "image/png", "image/x-raw"),
    partitions=4,
    retention_ms=_HOUR_MS,
    max_message_bytes=12 << 20,
)
DETECTIONS = Topic(
    short="detections",
    role=Role.RESULT,
    summary="What a detector found in a frame, one event a frame.",
    key="camera id",
    payload=DetectionEvent,
    ce_type=DETECTION_TYPE,
    partitions=4,
    retention_ms=7 * _DAY_MS,
)
CLASSIFICATIONS = Topic(
    short="classifications",
    role=Role.RESULT,
    summary="What a classifier sees in a frame, or in an object that a detector found in it.",
    key="camera id",
    payload=ClassificationEvent,
    ce_type=CLASSIFICATION_TYPE,
    partitions=4,
    retention_ms=7 * _DAY_MS,
)
RESULTS = Topic(
    short="results",
    role=Role.RESULT,
    summary="What a task of your own made of a frame, one event a frame.",
    key="camera id",
    payload=ResultEvent,
    ce_type=RESULT_TYPE,
    partitions=4,
    retention_ms=7 * _DAY_MS,
)
TELEMETRY = Topic(
    short="telemetry",
    role=Role.INPUT,
    summary="One reading of a sensor a record.",
    key="sensor id",
    payload=Reading,
    ce_type=READING_TYPE,
    partitions=4,
    retention_ms=7 * _DAY_MS,
)
ANOMALIES = Topic(
    short="anomalies",
    role=Role.RESULT,
    summary="Whether a sensor's newest readings are unlike what is normal, one event a scored window.",
    key="sensor id",
    payload=AnomalyEvent,
    ce_type=ANOMALY_TYPE,
    partitions=4,
    retention_ms=7 * _DAY_MS,
)
FORECASTS = Topic(
    short="forecasts",
    role=Role.RESULT,
    summary="What a sensor's features will be, with intervals.",
    key="sensor id",
    payload=ForecastEvent,
    ce_type=FORECAST_TYPE,
    partitions=4,
    retention_ms=7 * _DAY_MS,
)
AGGREGATES = Topic(
    short="aggregates",
    role=Role.RESULT,
    summary="What a sensor's feature, or a camera's class, did in a span of time.",
    key="sensor or camera id",
    payload=AggregateEvent,
    ce_type=AGGREGATE_TYPE,
    partitions=4,
    retention_ms=30 * _DAY_MS,
)
QUALITY = Topic(
    short="quality",
    role=Role.RESULT,
    summary="That a sensor's or camera's input went bad, or is well again.",
    key="sensor or camera id",
    payload=QualityEvent,
    ce_type=QUALITY_TYPE,
    partitions=4,
    retention_ms=30 * _DAY_MS,
)
MODELS = Topic(
    short="models",
    role=Role.CONTROL,
    summary="Which version of a model serves; the latest record of a model counts.",
    key="model name",
    payload=ModelActivation,
    ce_type=ACTIVATION_TYPE,
    partitions=1,
    retention_ms=-1,
    cleanup_policy="compact",
)
MODEL_VERDICTS = Topic(
    short="model-verdicts",
    role=Role.CONTROL,
    summary="An activated version that broke its limits; the version before it serves again.",
    key="activation id",
    payload=ModelVerdict,
    ce_type=VERDICT_TYPE,
    partitions=1,
    retention_ms=-1,
    cleanup_policy="compact",
)
MODEL_EVENTS = Topic(
    short="model-events",
    role=Role.NOTE,
    summary="What happened to a model on a worker: swapped, refused, rolled back, and why.",
    key="model name",
    payload=ModelEvent,
    ce_type=MODEL_EVENT_TYPE,
    partitions=1,
    retention_ms=30 * _DAY_MS,
)
SHED = Topic(
    short="shed",
    role=Role.NOTE,
    summary="A record that a worker left out on purpose, and why.",
    key="key of the record",
    payload=ShedNote,
    ce_type=SHED_TYPE,
    partitions=1,
    retention_ms=7 * _DAY_MS,
)
DEAD_LETTERS = Topic(
    short="dlq",
    role=Role.DEAD_LETTER,
    summary="A record that cannot be processed: as it came, the reason in further headers.",
    key="key of the record",
    payload=None,
    content_types=("application/octet-stream",),
    partitions=1,
    retention_ms=14 * _DAY_MS,
    max_message_bytes=16 << 20,
)

CATALOGUE: tuple[Topic, ...] = (
    FRAMES,
    DETECTIONS,
    CLASSIFICATIONS,
    RESULTS,
    TELEMETRY,
    ANOMALIES,
    FORECASTS,
    AGGREGATES,
    QUALITY,
    MODELS,
    MODEL_VERDICTS,
    MODEL_EVENTS,
    SHED,
    DEAD_LETTERS,
)


def result_topics() -> tuple[Topic, ...]:
    """The topics that hold events made by workers, each keyed by camera or sensor."""
    return tuple(topic for topic in CATALOGUE if topic.role is Role.RESULT)
