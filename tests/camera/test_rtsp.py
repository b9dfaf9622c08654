from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from structlog.typing import EventDict

from tests.camera.clips import make_clip
from tests.camera.rig import Rig
from tests.camera.rtsp_server import RtspServer, why_not
from tests.ingest.rig import wait_until
from vss.clock import Deadline, SystemClock


@pytest.fixture(scope="module")
def long_clip(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Two minutes at 25 a second."""
    if reason := why_not():
        pytest.skip(reason)
    return make_clip(tmp_path_factory.mktemp("rtsp") / "clip.mp4", frames=3000)


@pytest.fixture
def servers() -> Iterator[list[RtspServer]]:
    """Servers that the test starts; killed at its end."""
    servers: list[RtspServer] = []
    yield servers
    for server in servers:
        server.kill()


def test_an_rtsp_camera_that_is_killed_and_restarted_is_opened_again_and_says_so(
    rig: Rig, long_clip: Path, servers: list[RtspServer], log_lines: list[EventDict]
) -> None:
    servers.append(first := RtspServer(long_clip))
    camera = rig.camera(first.url, timeout_s=5, fps=20)
    camera.start()
    wait_until(lambda: len(rig.records()) >= 20)
    assert rig.metric("vss_camera_up") == 1
    assert rig.metric("vss_camera_reconnects_total") == 0

    first.kill()
    wait_until(lambda: rig.metric("vss_camera_up") == 0)
    assert camera.readiness()
    before = len(rig.records())

    servers.append(RtspServer(long_clip, first.port))
    wait_until(lambda: len(rig.records()) >= before + 20)
    assert rig.metric("vss_camera_up") == 1
    assert rig.metric("vss_camera_reconnects_total") == 1
    assert not camera.readiness()

    camera.stop()
    camera.join(Deadline.after(20, SystemClock()))
    lines = [line["event"] for line in log_lines]
    assert lines == ["camera starts", "source dropped; trying again", "source is back"]
    assert "hunter2" not in str(log_lines)
    headers = rig.headers()
    seqs = [header.seq or 0 for header in headers]
    assert seqs == sorted(set(seqs))
    # On a busy machine some are shed; each is accounted for.
    tally = camera.report().tally
    assert tally.captured == len(seqs) + sum(tally.dropped.values())
    assert len({header.epoch for header in headers}) == 1
    assert {(header.width, header.height) for header in headers} == {(96, 64)}


def test_an_rtsp_stream_of_a_real_clip_arrives_in_order(rig: Rig, shared_data: Path, servers: list[RtspServer]) -> None:
    if reason := why_not():
        pytest.skip(reason)
    servers.append(server := RtspServer(shared_data / "video" / "car-detection.mp4"))
    camera = rig.camera(server.url, width=384)
    camera.start()
    wait_until(lambda: len(rig.records()) >= 30)
    camera.stop()
    camera.join(Deadline.after(20, SystemClock()))
    headers = rig.headers()
    assert {(header.width, header.height) for header in headers} == {(384, 216)}
    # The very first picture may come without a time. On a busy machine some are shed, which `seq` shows.
    second, last = headers[1], headers[-1]
    frames = (last.seq or 0) - (second.seq or 0)
    assert abs(((last.pts_ns or 0) - (second.pts_ns or 0)) / frames - 80e6) < 1e6


def test_a_wrong_path_is_waited_for_and_says_why(rig: Rig, long_clip: Path, servers: list[RtspServer]) -> None:
    servers.append(server := RtspServer(long_clip))
    camera = rig.camera(server.url.replace("/stream", "/nothing"))
    camera.start()
    wait_until(lambda: "404" in str(camera.readiness()))
    camera.stop()
    camera.join(Deadline.after(20, SystemClock()))
    assert camera.ended
