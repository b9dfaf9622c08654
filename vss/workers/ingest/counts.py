"""What became of a source's frames or readings."""

from __future__ import annotations

import enum
import threading
from collections import Counter
from dataclasses import dataclass

from prometheus_client import Counter as CounterMetric


class DropReason(enum.StrEnum):
    """Why a captured frame, or a reading, never reached Kafka."""

    BUFFER_FULL = "buffer_full"
    """Live: they come faster than they are encoded and handed to Kafka."""
    QUEUE_FULL = "queue_full"
    """Live: the Kafka client's queue is full, as when the broker is away."""
    BROKER_AWAY = "broker_away"
    """Live: no broker took it in time, or none confirmed it before the end."""
    REFUSED = "refused"
    """The broker refused it (topic missing, no access)."""
    TOO_LARGE = "too_large"
    """Larger than the topic takes."""
    UNDECODABLE = "undecodable"
    """The source's bytes were no whole picture, or no reading."""
    STOPPED = "stopped"
    """It was stopped before it could hand this to Kafka."""


@dataclass(frozen=True, slots=True)
class Tally:
    """What was captured, written to Kafka, and dropped by reason; once all is closed, the parts make the whole."""

    captured: int
    published: int
    dropped: dict[str, int]


class Counts:
    """Counts for the metrics and for a source's own account. Thread-safe.

    Args:
        name: Label of the metrics.
        captured: Metric with one label.
        published: Metric with one label.
        dropped: Metric with a second label, the reason.
    """

    def __init__(self, name: str, captured: CounterMetric, published: CounterMetric, dropped: CounterMetric) -> None:
        self._lock = threading.Lock()
        self._captured = 0
        self._published = 0
        self._dropped: Counter[str] = Counter()
        self._metric_captured = captured.labels(name)
        self._metric_published = published.labels(name)
        # Made at once, for a rate over a counter needs to have seen its zero.
        self._metric_dropped = {reason: dropped.labels(name, reason.value) for reason in DropReason}

    def capture(self) -> int:
        """One more came from the source; returns its sequence number."""
        self._metric_captured.inc()
        with self._lock:
            self._captured += 1
            return self._captured - 1

    def publish(self) -> None:
        """Kafka has one."""
        self._metric_published.inc()
        with self._lock:
            self._published += 1

    def drop(self, reason: DropReason) -> None:
        """One will never be in Kafka."""
        self._metric_dropped[reason].inc()
        with self._lock:
            self._dropped[reason.value] += 1

    def tally(self) -> Tally:
        """The account so far."""
        with self._lock:
            return Tally(self._captured, self._published, dict(self._dropped))
