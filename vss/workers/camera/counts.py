"""What became of a camera's frames."""

from __future__ import annotations

import enum
import threading
from collections import Counter
from dataclasses import dataclass

from vss.metrics import Metrics


class DropReason(enum.StrEnum):
    """Why a captured frame never reached Kafka."""

    BUFFER_FULL = "buffer_full"
    """Live: frames come faster than they are encoded and handed to Kafka."""
    QUEUE_FULL = "queue_full"
    """Live: the Kafka client's queue is full, as when the broker is away."""
    BROKER_AWAY = "broker_away"
    """Live: no broker took the frame in time, or none confirmed it before the camera stopped."""
    REFUSED = "refused"
    """The broker refused it (topic missing, no access)."""
    TOO_LARGE = "too_large"
    """Larger than the topic takes."""
    UNDECODABLE = "undecodable"
    """The source's bytes were no whole picture."""
    STOPPED = "stopped"
    """The camera was stopped before it could hand the frame to Kafka."""


@dataclass(frozen=True, slots=True)
class FrameTally:
    """Frames captured, written to Kafka, and dropped by reason; once a camera is closed, the parts make the whole."""

    captured: int
    published: int
    dropped: dict[str, int]


class FrameCounts:
    """Counts for the metrics and for the camera's own account. Thread-safe.

    Args:
        camera_id: Label of the metrics.
        metrics: Where the world reads them.
    """

    def __init__(self, camera_id: str, metrics: Metrics) -> None:
        self._lock = threading.Lock()
        self._captured = 0
        self._published = 0
        self._dropped: Counter[str] = Counter()
        self._metric_captured = metrics.frames_captured.labels(camera_id)
        self._metric_published = metrics.frames_published.labels(camera_id)
        # Made at once, for a rate over a counter needs to have seen its zero.
        self._metric_dropped = {reason: metrics.frames_dropped.labels(camera_id, reason.value) for reason in DropReason}

    def capture(self) -> int:
        """A frame was captured; returns its sequence number."""
        self._metric_captured.inc()
        with self._lock:
            self._captured += 1
            return self._captured - 1

    def publish(self) -> None:
        """Kafka has a frame."""
        self._metric_published.inc()
        with self._lock:
            self._published += 1

    def drop(self, reason: DropReason) -> None:
        """A frame will never be in Kafka."""
        self._metric_dropped[reason].inc()
        with self._lock:
            self._dropped[reason.value] += 1

    def tally(self) -> FrameTally:
        """The account so far."""
        with self._lock:
            return FrameTally(self._captured, self._published, dict(self._dropped))
