from __future__ import annotations

import io
import json
from dataclasses import replace
from pathlib import Path

import pytest
from rich.console import Console

from vss.demo.pace import camera_fps
from vss.demo.pump.verdict import PumpResult
from vss.demo.summary import Summary, WorkerResult, print_summary, problems_of
from vss.schemas.events import SourceCoordinates
from vss.workers.checks.audit import AuditReport

REPORT = AuditReport(
    topic="vss.frames",
    group="vss.detect",
    records=100,
    events=100,
    shed=0,
    dead_letters=0,
    missing=0,
    not_reached=0,
    doubled=0,
    stray=0,
    unreadable=0,
    first_missing=(),
    first_doubled=(),
    first_stray=(),
    caught_up=True,
    other_groups={},
    seconds=0.2,
)
PUMP = PumpResult(
    readings=340,
    events=150,
    taken=190,
    left_out=0,
    kept=True,
    fault_s=17.04,
    flagged_after_s=1.21,
    seen_after_s=1.49,
    severity="critical",
    affected=(("vibration", 0.714), ("temperature", 0.2), ("current", 0.05), ("flow", 0.036)),
    false_alarms=0,
    normal_windows=90,
    judged=True,
)
SUMMARY = Summary(
    seconds=10.0,
    cameras=("belt-north", "belt-south"),
    camera_fps=15.0,
    model="conveyor@1",
    frames=300,
    events=299,
    shed=0,
    dead_letters=1,
    missing=0,
    doubled=0,
    kept=True,
    p50_ms=21.34,
    p95_ms=40.0,
    workers=(WorkerResult("worker-1", 150, 14.9), WorkerResult("worker-2", 150, 14.8)),
    objects=(("nut", 500), ("gear", 12)),
    picture=Path("out/picture.png"),
    clip=None,
    logs=Path("out/logs"),
    pump=PUMP,
    pump_picture=Path("out/pump.png"),
)


def test_a_clean_audit_has_no_problem() -> None:
    assert problems_of(REPORT) == []


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"records": 0, "events": 0}, "no camera published a frame"),
        (
            {"missing": 2, "first_missing": (SourceCoordinates("vss.frames", 1, 40),)},
            "2 of 100 frames have no outcome, the first at vss.frames[1]@40",
        ),
        ({"doubled": 3}, "3 frames have more than one outcome"),
        ({"stray": 1}, "1 outcomes belong to no frame"),
    ],
)
def test_whatever_breaks_the_promise_is_a_problem(change: dict[str, object], said: str) -> None:
    assert problems_of(replace(REPORT, **change)) == [said]  # type: ignore[arg-type]


def test_the_summary_names_every_figure() -> None:
    text = _printed(SUMMARY)
    for figure in ("300", "299", "p50 21 ms, p95 40 ms", "14.9 frames/s", "500 nut, 12 gear", "out/picture.png"):
        assert figure in text
    assert "Every frame has exactly one outcome." in text
    assert "Every reading has exactly one outcome." in text
    assert "340  (150 anomaly events, 190 taken into windows)" in text
    assert "at 17.0 s, flagged at 18.2 s (+1.2 s), critical in the end" in text
    assert "vibration 71%, temperature 20%, current 5%" in text
    assert "out/pump.png" in text
    assert "clip" not in text


def test_a_summary_with_problems_claims_nothing() -> None:
    broken = replace(SUMMARY, missing=2, kept=False, problems=("2 of 300 frames have no outcome",))
    assert not broken.holds
    text = _printed(broken)
    assert "Every frame" not in text
    assert "no outcome" in text


@pytest.mark.parametrize(
    ("change", "problem", "printed"),
    [
        (
            {"flagged_after_s": None, "affected": ()},
            "the bearing's fault at 17.0 s was not flagged",
            "at 17.0 s, not flagged",
        ),
        (
            {"false_alarms": 3},
            "3 windows of the pump were flagged before its bearing's fault started",
            "3 of 90 windows",
        ),
        ({"kept": False}, "readings of the pump have no outcome, or more than one", "340"),
        ({"readings": 0, "kept": False}, "the pump's sensor published no reading", "0  ("),
    ],
)
def test_a_pump_that_was_watched_badly_fails_the_demo(change: dict[str, object], problem: str, printed: str) -> None:
    pump = replace(PUMP, **change)  # type: ignore[arg-type]
    assert pump.problems() == [problem]
    text = _printed(replace(SUMMARY, pump=pump, problems=tuple(pump.problems())))
    assert printed in text
    assert ("Every reading" in text) == pump.kept


def test_a_demo_too_short_for_the_fault_blames_nobody() -> None:
    early = replace(PUMP, flagged_after_s=None, affected=(), judged=False)
    assert early.problems() == []
    assert "not flagged yet when the demo ended" in _printed(replace(SUMMARY, pump=early))
    before = replace(early, fault_s=None)
    assert before.problems() == []
    assert "none: the demo ended before it" in _printed(replace(SUMMARY, pump=before))


def test_a_killed_worker_fails_the_demo_but_not_the_promise() -> None:
    summary = replace(SUMMARY, problems=("worker-1 ended before its time",))
    assert not summary.holds
    assert "Every frame has exactly one outcome." in _printed(summary)


def test_machines_read_the_same() -> None:
    document = json.loads(json.dumps(SUMMARY.document()))
    assert document["capture_to_event_ms"] == {"p50": 21.3, "p95": 40.0}
    assert document["workers"][0] == {"name": "worker-1", "frames": 150, "fps": 14.9}
    assert document["picture"] == "out/picture.png"
    assert document["clip"] is None
    assert document["pump"]["flagged_after_s"] == 1.21
    assert document["pump"]["affected"]["vibration"] == 0.714
    assert document["pump_picture"] == "out/pump.png"
    assert document["holds"] is True


@pytest.mark.parametrize(
    ("machine_fps", "expected"),
    [(300.0, 15.0), (75.0, 15.0), (37.0, 7.0), (20.0, 4.0), (9.6, 1.5), (3.0, 1.0)],
)
def test_cameras_go_no_faster_than_the_machine(machine_fps: float, expected: float) -> None:
    assert camera_fps(machine_fps, cameras=2, most=15.0) == expected


def test_a_pace_that_was_asked_for_is_never_exceeded() -> None:
    assert camera_fps(3.0, cameras=2, most=0.5) == 0.5
    assert camera_fps(500.0, cameras=2, most=0.5) == 0.5


def _printed(summary: Summary) -> str:
    out = io.StringIO()
    print_summary(summary, Console(file=out, width=100))
    return out.getvalue()
