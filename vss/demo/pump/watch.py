"""What there is to see of the pump while it runs: its newest reading, and what was made of it."""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass
from typing import Final

from vss.codecs.events import decode_event
from vss.errors import BadRecord
from vss.schemas.envelope import Record
from vss.schemas.reading import Reading
from vss.schemas.telemetry import AnomalyEvent

PUMP: Final = "pump"
"""Id of its sensor."""
_HISTORY: Final = 40


@dataclass(frozen=True, slots=True)
class PumpState:
    """The pump at a moment.

    Attributes:
        readings: In the telemetry topic.
        events: In the anomalies topic.
        anomalies: Events that say so.
        values: Of the newest reading, by feature.
        last: The newest event.
        scores: Of the last events, oldest first.
    """

    readings: int = 0
    events: int = 0
    anomalies: int = 0
    values: tuple[tuple[str, float], ...] = ()
    last: AnomalyEvent | None = None
    scores: tuple[float, ...] = ()


class PumpTally:
    """Counts as the topics are read. For one thread at a time."""

    def __init__(self) -> None:
        self._readings = 0
        self._events = 0
        self._anomalies = 0
        self._newest: bytes | None = None
        self._last: AnomalyEvent | None = None
        self._scores: deque[float] = deque(maxlen=_HISTORY)

    def reading(self, record: Record) -> None:
        """There is a reading."""
        self._readings += 1
        self._newest = record.value

    def event(self, record: Record) -> None:
        """There is an event; what is none is passed over."""
        try:
            event = decode_event(AnomalyEvent, record.value)
        except BadRecord:
            return
        self._events += 1
        self._anomalies += event.is_anomaly
        self._last = event
        self._scores.append(event.anomaly_score)

    def state(self) -> PumpState:
        """What there was until now."""
        return PumpState(
            readings=self._readings,
            events=self._events,
            anomalies=self._anomalies,
            values=self._values(),
            last=self._last,
            scores=tuple(self._scores),
        )

    def _values(self) -> tuple[tuple[str, float], ...]:
        # Only the newest is looked at, and only when somebody asks.
        try:
            values = decode_event(Reading, self._newest).values
        except BadRecord:
            return ()
        return tuple((feature, value) for feature, value in values.items() if value is not None)
