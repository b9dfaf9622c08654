from __future__ import annotations

import io
from dataclasses import replace

import pytest
from rich.console import Console

from vss.demo.board import Snapshot, WorkerState, percentile
from vss.demo.live import LineView, LiveView, as_line, render, sparkline
from vss.demo.pump.watch import PumpState
from vss.demo.watcher import CameraState, Seen
from vss.schemas.events import SourceCoordinates
from vss.schemas.telemetry import AffectedFeature, AnomalyEvent, WindowSpan

ALARM = AnomalyEvent(
    id="1",
    sensor_id="pump",
    captured_at="2026-03-01T00:00:04Z",
    window=WindowSpan(readings=40, first_offset=0, start="2026-03-01T00:00:00Z", end="2026-03-01T00:00:04Z"),
    model_name="pump",
    model_version="1",
    inference_time=0.001,
    processing_time=0.002,
    timestamp="2026-03-01T00:00:04Z",
    source=SourceCoordinates("vss.telemetry", 0, 39),
    is_anomaly=True,
    anomaly_score=1.6,
    threshold=0.8,
    confidence=0.94,
    affected_features=(AffectedFeature(feature="vibration", share=1.0),),
    severity="high",
)
PUMP = PumpState(
    readings=140,
    events=50,
    anomalies=1,
    values=(("vibration", 1.234), ("temperature", 49.1), ("pressure", 3.7), ("flow", 33.04), ("current", 8.9)),
    last=ALARM,
    scores=(0.2, 0.2, 1.6),
)
SNAPSHOT = Snapshot(
    phase="running",
    elapsed_s=11.4,
    limit_s=30.0,
    seen=Seen(
        cameras=(
            CameraState("belt-north", 171, 170, 15.02, (("nut", 5), ("gear", 3))),
            CameraState("belt-south", 169, 167, 14.9, ()),
        ),
        frames=340,
        events=337,
        shed=0,
        dead_letters=1,
        latencies_ms=tuple(float(ms) for ms in range(1, 101)),
        objects=(("nut", 5),),
        pump=PUMP,
    ),
    workers=(
        WorkerState("worker-1", 4711, True, 1, 170, 15.03, 4.83),
        WorkerState("worker-2", 4712, False, 0, 167, 0.0, None),
    ),
    view_ages_ms=(43.2, None),
    history_ms=(20.0, 40.0, 20.0),
)


def _screen(snapshot: Snapshot, width: int) -> str:
    console = Console(file=io.StringIO(), width=width, record=True)
    console.print(render(snapshot))
    return console.export_text()


@pytest.mark.parametrize("width", [80, 120])
def test_the_screen_shows_every_camera_and_worker(width: int) -> None:
    screen = _screen(SNAPSHOT, width)
    north, south = (_line_with(screen, name) for name in ("belt-north", "belt-south"))
    assert north.split()[:7] == ["belt-north", "171", "15.0", "170", "43", "ms", "5"]
    assert "5 nut, 3 gear" in north
    assert "–" in south
    assert _line_with(screen, "worker-1").split() == ["worker-1", "170", "15.0", "1", "4.8", "ms", "4711"]
    assert _line_with(screen, "worker-2").split()[-1] == "gone"
    assert "p50 50 ms" in screen
    assert "p95 95 ms" in screen
    assert "waiting 2" in screen
    assert "dead letters 1" in screen
    pump = _line_with(screen, "140")
    assert pump.split()[:7] == ["pump", "140", "1.23", "49.10", "3.70", "33.04", "8.90"]
    assert " ".join(_line_with(screen, "anomaly score").split()) == "anomaly score 2.00 of 1 high ▂▂█ vibration 100%"
    assert all(len(line) <= width for line in screen.splitlines())


def test_a_calm_pump_looks_calm_and_one_without_readings_shows_none() -> None:
    calm = replace(ALARM, is_anomaly=False, severity="none", anomaly_score=0.2, affected_features=())
    screen = _screen(_with_pump(replace(PUMP, last=calm, scores=(0.2, 0.16, 0.2))), 80)
    assert " ".join(_line_with(screen, "anomaly score").split()) == "anomaly score 0.25 of 1 normal ▂▁▂"
    nothing = _with_pump(PumpState())
    lines = _screen(nothing, 80).splitlines()
    assert any(line.split() == ["pump", "0", "–", "–", "–", "–", "–"] for line in lines)
    assert any(line.split() == ["anomaly", "score", "–"] for line in lines)
    assert as_line(nothing).endswith("; pump 0 readings")


def test_a_line_says_the_same_without_a_terminal() -> None:
    assert as_line(SNAPSHOT) == (
        "  11 s  running: 340 frames, 337 events, 2 waiting, 1 dead letters; latency p50 50 ms, p95 95 ms; "
        "worker-1 15.0/s, worker-2 gone; view 43 ms old; pump 1.23 mm/s, score 2.00 (anomaly, high)"
    )


def test_lines_come_every_few_seconds_and_when_something_else_begins() -> None:
    out = io.StringIO()
    with LineView(Console(file=out, width=80)) as view:
        for tenth in range(120):
            view.show(replace(SNAPSHOT, elapsed_s=tenth / 10))
        view.show(replace(SNAPSHOT, elapsed_s=12.0, phase="finishing"))
    lines = out.getvalue().splitlines()
    assert [line.split()[2] for line in lines] == ["running:", "running:", "finishing:"]
    assert [line.split()[0] for line in lines] == ["5", "10", "12"]


def test_the_live_view_leaves_the_screen_as_it_was() -> None:
    out = io.StringIO()
    with LiveView(Console(file=out, force_terminal=True, width=90, height=30)) as view:
        view.show(SNAPSHOT)
    assert "worker-1" in out.getvalue()
    # Whatever was drawn is erased again, line by line.
    assert out.getvalue().rstrip().endswith("\x1b[2K")


def test_a_sparkline_stands_between_nothing_and_the_largest() -> None:
    assert sparkline([]) == ""
    assert sparkline([0.0, 50.0, 100.0]) == "▁▅█"
    assert sparkline([0.0, 0.0]) == "▁▁"


def test_a_percentile_is_one_of_the_values() -> None:
    values = [float(value) for value in range(1, 21)]
    assert percentile(values, 0.5) == 10.0
    assert percentile(values, 0.95) == 19.0
    assert percentile([7.0], 0.95) == 7.0
    assert percentile([], 0.5) is None


def _with_pump(pump: PumpState) -> Snapshot:
    return replace(SNAPSHOT, seen=replace(SNAPSHOT.seen, pump=pump))


def _line_with(screen: str, name: str) -> str:
    return next(line for line in screen.splitlines() if name in line)
