"""Notes about records that are left out on purpose."""

from __future__ import annotations

from vss.codecs.event_id import event_id
from vss.codecs.events import encode_event
from vss.codecs.headers import event_headers, format_time
from vss.metrics import Metrics
from vss.schemas.envelope import Message, Outcome, OutcomeKind, Record
from vss.schemas.events import SHED_TYPE, ShedNote, SourceCoordinates


class NoteWriter:
    """Makes the outcome of a record that is left out.

    Args:
        topic: Where notes go.
        group: Consumer group, named in the note.
        step: That leaves records out, a label of the metric.
        metrics: Counts them by reason.
    """

    def __init__(self, *, topic: str, group: str, step: str, metrics: Metrics) -> None:
        self._topic = topic
        self._group = group
        self._step = step
        self._metrics = metrics

    def note(self, record: Record, reason: str, *, captured_ns: int, now_ns: int) -> Outcome:
        """The note.

        Args:
            record: What is left out.
            reason: Why, such as `too_old`.
            captured_ns: When its content was captured, nanoseconds since the epoch.
            now_ns: When it is left out, nanoseconds since the epoch.
        """
        self._metrics.shed.labels(self._step, reason).inc()
        time = format_time(now_ns)
        note = ShedNote(
            id=event_id(record, self._group, "shed"),
            key=(record.key or b"").decode("utf-8", "replace"),
            group=self._group,
            reason=reason,
            age_ms=round((now_ns - captured_ns) / 1e6, 3),
            timestamp=time,
            source=SourceCoordinates(record.topic, record.partition, record.offset),
        )
        headers = event_headers(
            id=note.id, type=SHED_TYPE, source=f"/groups/{self._group}", time=time, traceparent=None
        )
        message = Message(self._topic, record.key, encode_event(note), headers)
        return Outcome(OutcomeKind.SHED, (message,), captured_ns)
