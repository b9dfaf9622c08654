"""Records too old to be worth the work: left out with a note."""

from __future__ import annotations

import contextlib
from collections.abc import Sequence

from vss.clock import Clock
from vss.codecs.headers import parse_time
from vss.schemas.envelope import Outcome, Record
from vss.workers.loop.notes import NoteWriter


class Shedder:
    """Decides by age.

    Args:
        notes: Writes the notes.
        max_age_ms: Older records are shed; None sheds nothing.
        clock: What now is.
    """

    def __init__(self, notes: NoteWriter, *, max_age_ms: float | None, clock: Clock) -> None:
        self._notes = notes
        self._max_age_ms = max_age_ms
        self._clock = clock

    def shed(self, records: Sequence[Record]) -> dict[int, Outcome]:
        """The notes for those that are too old, by their place; the others are to be processed."""
        if self._max_age_ms is None:
            return {}
        notes = {place: self._note(record, self._max_age_ms) for place, record in enumerate(records)}
        return {place: note for place, note in notes.items() if note is not None}

    def _note(self, record: Record, max_age_ms: float) -> Outcome | None:
        now_ns = self._clock.now_ns()
        captured_ns = _captured_ns(record)
        age_ms = (now_ns - captured_ns) / 1e6
        if captured_ns <= 0 or age_ms <= max_age_ms:
            return None
        return self._notes.note(record, "too_old", captured_ns=captured_ns, now_ns=now_ns)


def _captured_ns(record: Record) -> int:
    # Of a repeated header the last counts, as when the step reads it.
    if value := dict(record.headers).get("ce_time"):
        with contextlib.suppress(ValueError):  # the step will refuse the header with its reason
            return parse_time(value.decode())
    return record.timestamp_ms * 1_000_000
