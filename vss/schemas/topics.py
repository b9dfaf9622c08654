"""The topic catalogue: what exists, how it is keyed, kept and limited, and what its records hold."""

from __future__ import annotations

import enum
from dataclasses import dataclass

from vss.schemas.events import DetectionEvent, ShedNote

_HOUR_MS = 3_600_000
_DAY_MS = 24 * _HOUR_MS


class Role(enum.StrEnum):
    """What a topic is for."""

    INPUT = "input"
    RESULT = "result"
    NOTE = "note"
    DEAD_LETTER = "dead_letter"


@dataclass(frozen=True, slots=True, kw_only=True)
class Topic:
    """One topic.

    Attributes:
        short: Its name without the prefix that `kafka.topic_prefix` sets.
        summary: What its records are, in a sentence.
        key: What the key holds.
        payload: The dataclass of its JSON values; None where the value is not JSON.
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
    content_types: tuple[str, ...]
    partitions: int
    retention_ms: int
    max_message_bytes: int
    cleanup_policy: str = "delete"

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
    content_types=("application/json",),
    partitions=4,
    retention_ms=7 * _DAY_MS,
    max_message_bytes=1 << 20,
)
SHED = Topic(
    short="shed",
    role=Role.NOTE,
    summary="A record that a worker left out on purpose, and why.",
    key="key of the record",
    payload=ShedNote,
    content_types=("application/json",),
    partitions=1,
    retention_ms=7 * _DAY_MS,
    max_message_bytes=1 << 20,
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

CATALOGUE: tuple[Topic, ...] = (FRAMES, DETECTIONS, SHED, DEAD_LETTERS)


def result_topics() -> tuple[Topic, ...]:
    """The topics that hold events made by workers, each keyed by camera or sensor."""
    return tuple(topic for topic in CATALOGUE if topic.role is Role.RESULT)
