"""Records too old to be worth the work: left out with a note."""

from __future__ import annotations

import contextlib

from vss.clock import Clock
from vss.codecs.event_id import event_id
from vss.codecs.events import encode_event
from vss.codecs.headers import event_headers, format_time, parse_time
from vss.schemas.envelope import Message, Outcome, OutcomeKind, Record
from vss.schemas.events import SHED_TYPE, ShedNote, SourceCoordinates


class Shedder:
    """Decides by age, and writes the note.

    Args:
        topic: Where notes go.
        group: Consumer group, named in the note.
        max_age_ms: Older records are shed; None sheds nothing.
        clock: What now is.
    """

    def __init__(self, *, topic: str, group: str, max_age_ms: float | None, clock: Clock) -> None:
        self._topic = topic
        self._group = group
        self._max_age_ms = max_age_ms
        self._clock = clock

    def shed(self, record: Record) -> Outcome | None:
        """The note for a record that is too old, None for one that is to be processed."""
        if self._max_age_ms is None:
            return None
        now_ns = self._clock.now_ns()
        captured_ns = _captured_ns(record)
        age_ms = (now_ns - captured_ns) / 1e6
        if captured_ns <= 0 or age_ms <= self._max_age_ms:
            return None
        time = format_time(now_ns)
        note = ShedNote(
            id=event_id(record, self._group, "shed"),
            key=(record.key or b"").decode("utf-8", "replace"),
            group=self._group,
            reason="too_old",
            age_ms=round(age_ms, 3),
            timestamp=time,
            source=SourceCoordinates(record.topic, record.partition, record.offset),
        )
        headers = event_headers(
            id=note.id, type=SHED_TYPE, source=f"/groups/{self._group}", time=time, traceparent=None
        )
        message = Message(self._topic, record.key, encode_event(note), headers)
        return Outcome(OutcomeKind.SHED, (message,), captured_ns)


def _captured_ns(record: Record) -> int:
    # Of a repeated header the last counts, as when the step reads it.
    if value := dict(record.headers).get("ce_time"):
        with contextlib.suppress(ValueError):  # the step will refuse the header with its reason
            return parse_time(value.decode())
    return record.timestamp_ms * 1_000_000
