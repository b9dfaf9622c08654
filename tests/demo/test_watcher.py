from __future__ import annotations

import json
from pathlib import Path

import pytest

from vss.codecs.events import encode_event
from vss.codecs.headers import format_time
from vss.config import KafkaSettings
from vss.demo.board import Board
from vss.demo.children import Child
from vss.demo.scrape import scrape, total
from vss.demo.watcher import Watcher
from vss.errors import CacheUnavailable
from vss.local.launch import Launched
from vss.local.process import ProcessId
from vss.logs import get_logger
from vss.metrics import Metrics
from vss.schemas.envelope import Record
from vss.schemas.events import DetectedObject, DetectionEvent, SourceCoordinates
from vss.schemas.telemetry import AnomalyEvent, WindowSpan
from vss.testing import ManualClock
from vss.workers.endpoint import Endpoint
from vss.workers.redis_view.reader import Seen as SeenInView


@pytest.fixture
def clock() -> ManualClock:
    return ManualClock()


@pytest.fixture
def watcher(clock: ManualClock) -> Watcher:
    return Watcher(KafkaSettings(), ["north", "south"], clock=clock, logger=get_logger("test"))


def test_a_latency_runs_from_capture_until_the_event_is_read(watcher: Watcher, clock: ManualClock) -> None:
    captured_ns = clock.now_ns()
    watcher._take([_frame("north")])
    clock.advance(0.025)
    watcher._take([_event("north", captured_ns, "nut", "nut", "gear")])
    seen = watcher.seen()
    assert seen.latencies_ms == pytest.approx((25.0,), abs=0.01)
    assert watcher.all_latencies_ms() == pytest.approx([25.0], abs=0.01)
    assert (seen.frames, seen.events, seen.dead_letters, seen.shed) == (1, 1, 0, 0)
    assert seen.cameras[0].objects == (("nut", 2), ("gear", 1))
    assert seen.cameras[1].events == 0


def test_frames_captured_before_the_beginning_count_as_frames_but_not_as_latencies(
    watcher: Watcher, clock: ManualClock
) -> None:
    early_ns = clock.now_ns()
    clock.advance(2.0)
    watcher.begin()
    watcher._take([_event("north", early_ns)])
    late_ns = clock.now_ns()
    clock.advance(0.03)
    watcher._take([_event("north", late_ns)])
    assert watcher.all_latencies_ms() == pytest.approx([30.0], abs=0.01)
    assert watcher.seen().events == 2


def test_a_long_run_keeps_an_even_choice_of_its_latencies(
    watcher: Watcher, clock: ManualClock, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("vss.demo.watcher._MOST_LATENCIES", 100)
    start_ns = clock.now_ns()
    for number in range(1000):
        clock.advance(0.001)
        watcher._take([_event("north", start_ns if number < 500 else clock.now_ns())])
    kept = watcher.all_latencies_ms()
    assert 50 <= len(kept) <= 100
    assert 0.4 < sum(latency > 0 for latency in kept) / len(kept) < 0.6


def test_fps_is_that_of_the_last_seconds_and_nothing_once_a_camera_is_silent(
    watcher: Watcher, clock: ManualClock
) -> None:
    for _ in range(40):
        watcher._take([_frame("north")])
        clock.advance(0.1)
    assert watcher.seen().cameras[0].fps == pytest.approx(10.0)
    clock.advance(2.0)
    assert watcher.seen().cameras[0].fps == 0.0


def test_dead_letters_notes_and_strangers_are_told_apart(watcher: Watcher) -> None:
    watcher._take(
        [
            Record("vss.dlq", 0, 0, b"north", b"whatever"),
            Record("vss.shed", 0, 0, b"north", b"whatever"),
            _frame("a stranger"),
            Record("vss.detections", 0, 0, b"north", b"no event"),
        ]
    )
    seen = watcher.seen()
    assert (seen.frames, seen.events, seen.dead_letters, seen.shed) == (0, 0, 1, 1)


def test_a_board_reads_workers_over_http_and_the_age_of_the_view(watcher: Watcher, clock: ManualClock) -> None:
    metrics = Metrics()
    metrics.assigned_partitions.labels("detect").set(2)
    frames = metrics.outcomes.labels("detect", "event")
    frames.inc(10)
    metrics.inference_duration.labels("conveyor").observe(0.5)
    with Endpoint(0, registry=metrics.registry, health=list, readiness=list, logger=get_logger("test")) as endpoint:
        child = _child(endpoint.port)
        board = Board(watcher, [child], _View(clock.now_ns()), clock)  # type: ignore[arg-type]
        watcher._take([_frame("north"), _frame("north")])
        board.look("running", 0.0, 10.0)
        clock.advance(2.0)
        frames.inc(30)
        metrics.inference_duration.labels("conveyor").observe(0.004)
        snapshot = board.look("running", 2.0, 10.0)
    (worker,) = snapshot.workers
    assert (worker.partitions, worker.frames, worker.alive) == (2, 40, True)
    assert worker.fps == pytest.approx(15.0)
    assert worker.model_ms == pytest.approx(4.0)
    north_ms, south_ms = snapshot.view_ages_ms
    assert north_ms == pytest.approx(2000.0, abs=1.0)
    assert south_ms is None
    assert snapshot.waiting == 2


def test_a_process_that_does_not_answer_counts_nothing() -> None:
    assert scrape(1) == {}
    assert total({}, "vss_outcomes_total") == 0


def test_a_pumps_readings_and_events_are_told_from_cameras(watcher: Watcher) -> None:
    for offset, vibration in enumerate((0.9, 0.95)):
        value = json.dumps({"sensor_id": "pump", "ts": 1000 + offset, "values": {"vibration": vibration, "flow": None}})
        watcher._take([Record("vss.telemetry", 0, offset, b"pump", value.encode())])
    watcher._take([Record("vss.anomalies", 0, 0, b"pump", encode_event(_anomaly(0.4)))])
    watcher._take([Record("vss.anomalies", 0, 1, b"pump", encode_event(_anomaly(1.7)))])
    watcher._take([Record("vss.anomalies", 0, 2, b"pump", b"no event"), Record("vss.shed", 0, 0, b"pump", b"late")])
    seen = watcher.seen()
    assert (seen.frames, seen.events, seen.shed) == (0, 0, 0)
    assert (seen.pump.readings, seen.pump.events, seen.pump.anomalies) == (2, 2, 1)
    assert seen.pump.values == (("vibration", 0.95),)
    assert seen.pump.scores == (0.4, 1.7)
    assert seen.pump.last is not None
    assert seen.pump.last.severity == "high"


class _View:
    """A view in which one camera has a result, and Redis goes away for the other."""

    def __init__(self, captured_ns: int) -> None:
        self._event = _event("north", captured_ns)

    def latest(self, camera: str) -> SeenInView | None:
        if camera != "north":
            raise CacheUnavailable("Redis is away")
        assert self._event.value is not None
        return SeenInView(self._event.value, "vss.detections", 0, 0, 0)


def _child(port: int) -> Child:
    import os

    launched = Launched(ProcessId.of(os.getpid()), None, 0)
    return Child("worker-1", "detect", Path("worker-1.log"), launched, metrics_port=port)


def _frame(camera: str) -> Record:
    return Record("vss.frames", 0, 0, camera.encode(), b"a picture")


def _event(camera: str, captured_ns: int, *classes: str) -> Record:
    objects = tuple(
        DetectedObject(class_=name, class_id=0, confidence=0.9, bbox=(0, 0, 9, 9), center=(4.5, 4.5))
        for name in classes
    )
    event = DetectionEvent(
        id="1",
        camera_id=camera,
        captured_at=format_time(captured_ns),
        epoch=0,
        seq=0,
        width=64,
        height=48,
        objects=objects,
        total_objects=len(objects),
        model_name="conveyor",
        model_version="1",
        inference_time=0.004,
        processing_time=0.006,
        timestamp=format_time(captured_ns),
        source=SourceCoordinates("vss.frames", 0, 0),
    )
    return Record("vss.detections", 0, 0, camera.encode(), encode_event(event))


def _anomaly(score: float) -> AnomalyEvent:
    return AnomalyEvent(
        id="1",
        sensor_id="pump",
        captured_at="2026-03-01T00:00:04Z",
        window=WindowSpan(readings=40, first_offset=0, start="2026-03-01T00:00:00Z", end="2026-03-01T00:00:04Z"),
        model_name="pump",
        model_version="1",
        inference_time=0.001,
        processing_time=0.002,
        timestamp="2026-03-01T00:00:04Z",
        source=SourceCoordinates("vss.telemetry", 0, 1),
        is_anomaly=score > 1,
        anomaly_score=score,
        threshold=1.0,
        confidence=0.5,
        affected_features=(),
        severity="high" if score > 1 else "none",
    )
