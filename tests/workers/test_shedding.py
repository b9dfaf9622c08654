"""Records too old to be worth the work are left out, and a note says so."""

from __future__ import annotations

import pytest

from vss.codecs.events import decode_event
from vss.codecs.headers import format_time
from vss.metrics import Metrics
from vss.schemas.envelope import Headers, Outcome, OutcomeKind, Record
from vss.schemas.events import ShedNote, SourceCoordinates
from vss.testing import ManualClock
from vss.workers.loop.notes import NoteWriter
from vss.workers.loop.shedding import Shedder

NOW_NS = 1_700_000_000_000_000_000


def shedder(max_age_ms: float | None = 500.0, metrics: Metrics | None = None) -> Shedder:
    notes = NoteWriter(topic="shed", group="g", step="detect", metrics=metrics or Metrics())
    return Shedder(notes, max_age_ms=max_age_ms, clock=ManualClock(NOW_NS))


def record(age_ms: float | None, *, kafka_age_ms: float = 0.0, headers: Headers = ()) -> Record:
    if age_ms is not None:
        headers = (*headers, ("ce_time", format_time(NOW_NS - int(age_ms * 1e6)).encode()))
    return Record("in", 2, 7, b"gate", b"jpeg", headers, NOW_NS // 1_000_000 - int(kafka_age_ms))


def shed(shedder: Shedder, record: Record) -> Outcome | None:
    return shedder.shed([record]).get(0)


def test_what_is_left_out_is_counted() -> None:
    metrics = Metrics()
    shedder(metrics=metrics).shed([record(501.0), record(1.0), record(900.0)])
    labels = {"step": "detect", "reason": "too_old"}
    assert metrics.registry.get_sample_value("vss_shed_total", labels) == 2


@pytest.mark.parametrize("age_ms", [-5000.0, 0.0, 499.0, 500.0])
def test_what_is_young_enough_is_worked_on(age_ms: float) -> None:
    assert shed(shedder(), record(age_ms)) is None


def test_what_is_too_old_gets_a_note_that_names_the_record() -> None:
    outcome = shed(shedder(), record(501.0))
    assert outcome is not None
    assert outcome.kind is OutcomeKind.SHED
    (message,) = outcome.messages
    assert (message.topic, message.key) == ("shed", b"gate")
    note = decode_event(ShedNote, message.value)
    assert (note.key, note.group, note.reason, note.age_ms) == ("gate", "g", "too_old", 501.0)
    assert note.source == SourceCoordinates("in", 2, 7)
    headers = dict(message.headers)
    assert (headers["ce_id"], headers["ce_source"]) == (note.id.encode(), b"/groups/g")


def test_without_a_limit_nothing_is_shed() -> None:
    assert shed(shedder(None), record(10**9)) is None


def test_without_a_capture_time_kafkas_counts() -> None:
    assert shed(shedder(), record(None, kafka_age_ms=501)) is not None
    assert shed(shedder(), record(None, kafka_age_ms=499)) is None


def test_a_record_of_unknown_age_is_worked_on() -> None:
    assert shed(shedder(), Record("in", 0, 0, b"k", b"v", (), 0)) is None


@pytest.mark.parametrize("value", [b"yesterday", b"\xff", b""])
def test_a_capture_time_that_cannot_be_read_is_left_to_the_step(value: bytes) -> None:
    assert shed(shedder(), record(None, headers=(("ce_time", value),))) is None


def test_of_two_capture_times_the_last_counts_as_it_does_for_the_step() -> None:
    assert shed(shedder(), record(0.0, headers=(("ce_time", b"2001-01-01T00:00:00Z"),))) is None


def test_the_same_record_gets_the_same_note_id_again() -> None:
    first, second = (shed(shedder(), record(501.0)) for _ in range(2))
    assert first is not None
    assert second is not None
    assert first.messages[0].headers[1] == second.messages[0].headers[1]
