from __future__ import annotations

from collections.abc import Iterator

import pytest
from structlog.typing import EventDict

from tests.camera.mjpeg_server import MjpegServer
from tests.camera.rig import Rig
from tests.ingest.rig import wait_until
from vss.clock import Deadline, SystemClock
from vss.errors import SourceUnavailable
from vss.workers.camera.camera import Camera
from vss.workers.camera.recognise import recognise


@pytest.fixture
def server() -> Iterator[MjpegServer]:
    with MjpegServer() as server:
        yield server


@pytest.fixture
def running() -> Iterator[list[Camera]]:
    """Cameras that the test starts; stopped at its end."""
    cameras: list[Camera] = []
    yield cameras
    for camera in cameras:
        camera.stop()
        camera.join(Deadline.after(10, SystemClock()))


def test_pictures_of_an_http_camera_are_passed_on_byte_for_byte(
    rig: Rig, server: MjpegServer, running: list[Camera]
) -> None:
    running.append(camera := rig.camera(server.url))
    camera.start()
    wait_until(lambda: len(rig.records()) >= 10)
    values = [record.value for record in rig.records()[:10]]
    assert values == server.sent[:10]
    # Multipart pictures carry no time: theirs is that of their arrival, not one that FFmpeg makes up.
    first, last = rig.headers()[0], rig.headers()[-1]
    between_ns = (last.pts_ns or 0) - (first.pts_ns or 0)
    assert abs(between_ns - ((last.captured_ns or 0) - (first.captured_ns or 0))) < 20e6


def test_an_http_camera_that_hangs_up_is_called_again(
    rig: Rig, server: MjpegServer, running: list[Camera], log_lines: list[EventDict]
) -> None:
    server.pictures_each = 8
    running.append(camera := rig.camera(server.url))
    camera.start()
    wait_until(lambda: server.clients >= 3 and len(rig.records()) >= 17)
    seqs = [header.seq for header in rig.headers()]
    assert seqs == list(range(len(seqs)))
    assert rig.metric("vss_camera_reconnects_total") >= 2
    events = [line["event"] for line in log_lines if line["event"].startswith("source")]
    assert events[:3] == ["source dropped; trying again", "source is back", "source dropped; trying again"]


def test_an_http_camera_that_falls_silent_has_dropped(
    rig: Rig, server: MjpegServer, running: list[Camera], log_lines: list[EventDict]
) -> None:
    running.append(camera := rig.camera(server.url, timeout_s=1))
    camera.start()
    wait_until(lambda: len(rig.records()) >= 5)
    server.silent = True
    wait_until(lambda: rig.metric("vss_camera_up") == 0)
    assert camera.readiness()
    server.silent = False
    wait_until(lambda: rig.metric("vss_camera_up") == 1)
    assert not camera.readiness()
    assert "source is back" in [line["event"] for line in log_lines]


def test_a_camera_stops_soon_though_its_source_is_silent(rig: Rig, server: MjpegServer) -> None:
    camera = rig.camera(server.url, timeout_s=60)
    camera.start()
    wait_until(lambda: len(rig.records()) >= 1)
    server.silent = True
    clock = SystemClock()
    start_s = clock.monotonic()
    camera.stop()
    camera.join(Deadline.after(1, clock))
    assert camera.ended
    assert clock.monotonic() - start_s < 10


def test_no_password_reaches_logs_errors_or_headers(
    rig: Rig, server: MjpegServer, running: list[Camera], log_lines: list[EventDict]
) -> None:
    server.pictures_each = 5
    running.append(camera := rig.camera(server.url))
    camera.start()
    wait_until(lambda: server.clients >= 3 and len(rig.records()) >= 11)
    assert "***@127.0.0.1" in str(log_lines)
    assert "hunter2" not in str(log_lines)
    assert "hunter2" not in str([record.headers for record in rig.records()])
    assert "hunter2" not in str(camera.readiness())


@pytest.mark.parametrize("scheme", ["http", "rtsp"])
def test_no_password_is_in_what_a_failed_opening_says(scheme: str) -> None:
    with pytest.raises(SourceUnavailable, match="refused") as caught:
        recognise(f"{scheme}://admin:hunter2@127.0.0.1:1/stream", timeout_s=5).open()
    error: BaseException | None = caught.value
    assert "hunter2" not in f"{error!r}"
    assert error is not None
    assert error.__cause__ is None
    assert error.__suppress_context__  # FFmpeg's own error holds the address; a traceback must not show it
