from __future__ import annotations

import random
import threading
from collections.abc import Callable

import pytest
from structlog.typing import EventDict

from tests.camera.scripted_source import ScriptedSource, Step, shot
from vss.errors import SourceUnavailable, SourceUnreadable
from vss.logs import get_logger
from vss.metrics import Metrics
from vss.testing import ManualClock
from vss.workers.camera.frame_taker import CapturedFrame, FrameTaker
from vss.workers.camera.source import Shot
from vss.workers.ingest.backoff import Backoff
from vss.workers.ingest.buffer import Buffer
from vss.workers.ingest.capture import Capture
from vss.workers.ingest.counts import Counts
from vss.workers.ingest.pacing import Pacer
from vss.workers.ingest.status import SourceStatus, State

MS = 1_000_000


class CaptureRig:
    """Capture alone, on this thread, with a clock that moves when somebody waits."""

    def __init__(self) -> None:
        self.clock = ManualClock()
        self.stop = threading.Event()
        self.metrics = Metrics()
        metrics = self.metrics
        self.counts = Counts("gate", metrics.frames_captured, metrics.frames_published, metrics.frames_dropped)
        up, reconnects = metrics.camera_up.labels("gate"), metrics.camera_reconnects.labels("gate")
        self.status = SourceStatus(
            "camera", up, reconnects, item="picture", clock=self.clock, logger=get_logger("camera")
        )

    def run(
        self,
        source: ScriptedSource,
        *,
        fps: float | None = None,
        loop: bool = False,
        paced: bool = True,
        room: int = 100,
    ) -> list[CapturedFrame]:
        buffer: Buffer[CapturedFrame] = Buffer(room, shed_oldest=source.live)
        pacer = Pacer(self.clock, self.stop) if paced and not source.live else None
        Capture(
            source,
            FrameTaker(buffer, fps=fps, live=source.live, pacer=pacer, counts=self.counts, clock=self.clock),
            item="picture",
            loop=loop,
            backoff=Backoff(random.Random(1)),
            status=self.status,
            clock=self.clock,
            stop=self.stop,
        ).run()
        buffer.close()
        frames = []
        while (frame := buffer.take()) is not None:
            frames.append(frame)
        return frames

    def value(self, name: str, **labels: str) -> float | None:
        return self.metrics.registry.get_sample_value(name, {"camera": "gate", **labels})

    def advance(self, seconds: float) -> Callable[[], None]:
        return lambda: self.clock.advance(seconds)


@pytest.fixture
def rig() -> CaptureRig:
    return CaptureRig()


def seqs(frames: list[CapturedFrame]) -> list[int]:
    return [frame.seq for frame in frames]


def test_a_file_is_captured_at_its_own_pace(rig: CaptureRig) -> None:
    start_ns = rig.clock.now_ns()
    frames = rig.run(ScriptedSource([[shot(i, i * 40 * MS) for i in range(5)]], live=False))
    assert seqs(frames) == [0, 1, 2, 3, 4]
    assert [round((frame.captured_ns - start_ns) / MS) for frame in frames] == [0, 40, 80, 120, 160]
    assert [frame.pts_ns for frame in frames] == [i * 40 * MS for i in range(5)]


def test_as_fast_as_possible_waits_for_nothing(rig: CaptureRig) -> None:
    frames = rig.run(ScriptedSource([[shot(i, i * 40 * MS) for i in range(5)]], live=False), paced=False)
    assert len(frames) == 5
    assert rig.clock.monotonic() == 0


def test_frames_left_out_by_the_rate_are_not_captured(rig: CaptureRig) -> None:
    frames = rig.run(ScriptedSource([[shot(i, i * 40 * MS) for i in range(25)]], live=False), fps=5)
    # The nearest to each fifth of a second, of 25 a second.
    assert [frame.pts_ns // MS for frame in frames] == [0, 120, 320, 520, 720, 920]
    assert seqs(frames) == list(range(6))
    assert rig.value("vss_frames_captured_total") == 6


def test_a_loop_counts_on(rig: CaptureRig) -> None:
    passes = [[shot(i, i * 40 * MS) for i in range(3)] for _ in range(3)]
    frames = rig.run(ScriptedSource(passes, live=False, on_exhausted=rig.stop.set), loop=True)
    assert seqs(frames) == list(range(9))
    assert [frame.pts_ns // MS for frame in frames] == [0, 40, 80] * 3
    assert round(rig.clock.monotonic() * 1000) == 320


def test_an_empty_file_is_unreadable_even_in_a_loop(rig: CaptureRig) -> None:
    with pytest.raises(SourceUnreadable, match="no picture in scripted"):
        rig.run(ScriptedSource([], live=False), loop=True)


def test_a_picture_that_cannot_be_decoded_leaves_a_gap_with_its_reason(rig: CaptureRig) -> None:
    frames = rig.run(ScriptedSource([[shot(0, 0), Shot(None, 40 * MS), shot(2, 80 * MS)]], live=False))
    assert seqs(frames) == [0, 2]
    assert rig.value("vss_frames_dropped_total", reason="undecodable") == 1


def test_a_live_source_that_drops_is_opened_again_and_goes_on(rig: CaptureRig, log_lines: list[EventDict]) -> None:
    gone = SourceUnavailable("gone")
    source = ScriptedSource(
        [
            [shot(0), shot(1), gone],
            [SourceUnavailable("refused")],
            [SourceUnavailable("refused")],
            [shot(2), rig.stop.set],
        ],
        live=True,
    )
    frames = rig.run(source)
    assert seqs(frames) == [0, 1, 2]
    assert rig.value("vss_camera_reconnects_total") == 1
    assert rig.value("vss_camera_up") == 1
    assert [line["event"] for line in log_lines] == ["source dropped; trying again", "source is back"]
    assert log_lines[0]["reason"] == "gone"
    assert log_lines[1]["away_s"] == round(rig.clock.monotonic(), 1) > 1.5
    assert source.closed == 2  # of four openings, two gave a stream


def test_a_live_source_that_ends_has_dropped(rig: CaptureRig) -> None:
    source = ScriptedSource([[shot(0)], [shot(1), rig.stop.set]], live=True)
    assert seqs(rig.run(source)) == [0, 1]
    assert rig.value("vss_camera_reconnects_total") == 1


def test_a_live_source_that_is_not_there_is_waited_for(rig: CaptureRig, log_lines: list[EventDict]) -> None:
    refused = [[SourceUnavailable("refused")] for _ in range(20)]
    assert seqs(rig.run(ScriptedSource([*refused, [shot(0), rig.stop.set]], live=True))) == [0]
    assert [line["event"] for line in log_lines] == ["source is not there; trying again", "source is back"]
    assert rig.value("vss_camera_reconnects_total") == 0
    assert 200 < rig.clock.monotonic() < 30 * 20


def test_metrics_say_that_a_source_is_down(rig: CaptureRig) -> None:
    seen: list[float | None] = []

    def look() -> None:
        seen.append(rig.value("vss_camera_up"))
        rig.stop.set()

    source = ScriptedSource([[shot(0), SourceUnavailable("gone")], []], live=True, on_exhausted=look)
    rig.run(source)
    assert seen == [0]
    assert rig.status.state is State.DOWN


def test_a_source_that_drops_again_and_again_is_tried_less_and_less_often(rig: CaptureRig) -> None:
    flapping: list[list[Step]] = [[shot(i), SourceUnavailable("gone")] for i in range(12)]
    rig.run(ScriptedSource([*flapping, [rig.stop.set]], live=True))
    assert rig.clock.monotonic() > 100


def test_a_source_that_stayed_for_a_while_is_tried_at_once(rig: CaptureRig) -> None:
    steady: list[list[Step]] = [[shot(i), rig.advance(11), shot(i), SourceUnavailable("gone")] for i in range(12)]
    rig.run(ScriptedSource([*steady, [rig.stop.set]], live=True))
    assert rig.clock.monotonic() < 12 * 11 + 12 * 0.5 + 1


def test_a_live_source_without_times_gets_those_of_arrival(rig: CaptureRig) -> None:
    script: list[Step] = [shot(0), rig.advance(0.1), shot(1), rig.advance(0.25), shot(2), rig.stop.set]
    assert [frame.pts_ns // MS for frame in rig.run(ScriptedSource([script], live=True))] == [0, 100, 350]


def test_the_rate_of_a_live_source_follows_arrival(rig: CaptureRig) -> None:
    script: list[Step] = [step for i in range(100) for step in (shot(i, 0), rig.advance(0.02))]
    frames = rig.run(ScriptedSource([[*script, rig.stop.set]], live=True), fps=10)
    assert len(frames) in (20, 21)


def test_what_a_full_buffer_sheds_is_a_gap_with_its_reason(rig: CaptureRig) -> None:
    source = ScriptedSource([[*(shot(i) for i in range(10)), rig.stop.set]], live=True)
    assert seqs(rig.run(source, room=4)) == [6, 7, 8, 9]
    assert rig.value("vss_frames_dropped_total", reason="buffer_full") == 6
    assert rig.value("vss_frames_captured_total") == 10
