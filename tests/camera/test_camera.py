from __future__ import annotations

import threading
from pathlib import Path

import pytest
from structlog.typing import EventDict

from tests.camera.clips import index_of, jpeg_of
from tests.camera.rig import Rig
from tests.camera.scripted_source import ScriptedSource, shot
from tests.ingest.rig import wait_until
from vss.clock import Deadline, SystemClock
from vss.codecs.images import ImageInfo, decode_image
from vss.errors import ConfigError, SourceUnreadable
from vss.schemas.envelope import Message
from vss.workers.ingest.status import State


def test_a_file_is_published_whole_and_the_camera_ends(rig: Rig, clip: Path) -> None:
    camera = rig.run(rig.camera(str(clip), as_fast_as_possible=True, buffer=2))
    images = [decode_image(record.value or b"", ImageInfo("jpeg", 96, 64)) for record in rig.records()]
    assert [index_of(image) for image in images] == list(range(20))
    headers = rig.headers()
    assert [header.seq for header in headers] == list(range(20))
    assert [header.pts_ns for header in headers] == [index * 40_000_000 for index in range(20)]
    report = camera.report()
    assert (report.state, report.exit_code) == (State.FINISHED, 0)
    assert (report.tally.captured, report.tally.published, report.tally.dropped) == (20, 20, {})
    assert rig.metric("vss_camera_up") == 0
    assert not camera.readiness()


def test_a_file_keeps_its_own_pace(rig: Rig, clip: Path) -> None:
    rig.run(rig.camera(str(clip)))
    times_ns = [header.captured_ns or 0 for header in rig.headers()]
    assert times_ns[-1] - times_ns[0] > 0.7e9  # 19 steps of 40 ms are 0.76 s; `ce_time` is in whole microseconds


def test_a_folder_of_jpegs_is_published_byte_for_byte(rig: Rig, tmp_path: Path) -> None:
    for index in range(5):
        (tmp_path / f"{index}.jpg").write_bytes(jpeg_of(index))
    rig.run(rig.camera(str(tmp_path), fps=2, as_fast_as_possible=True))
    assert [record.value for record in rig.records()] == [jpeg_of(index) for index in range(5)]
    assert [header.pts_ns for header in rig.headers()] == [index * 500_000_000 for index in range(5)]


@pytest.mark.parametrize(("codec", "content_type"), [("png", "image/png"), ("raw", "image/x-raw")])
def test_codec_and_width_are_said_in_the_headers(rig: Rig, clip: Path, codec: str, content_type: str) -> None:
    rig.run(rig.camera(str(clip), as_fast_as_possible=True, codec=codec, width=48))
    assert {(header.content_type, header.width, header.height) for header in rig.headers()} == {(content_type, 48, 32)}
    if codec == "raw":
        assert {len(record.value or b"") for record in rig.records()} == {48 * 32 * 3}


def test_a_loop_goes_on_until_it_is_stopped(rig: Rig, clip: Path) -> None:
    camera = rig.camera(str(clip), loop=True, as_fast_as_possible=True)
    camera.start()
    wait_until(lambda: len(rig.records()) > 50)
    camera.stop()
    camera.join(Deadline.after(30, SystemClock()))
    report = camera.report()
    assert camera.ended
    assert report.error is None
    assert [header.seq for header in rig.headers()] == list(range(report.tally.published))
    assert report.tally.published + sum(report.tally.dropped.values()) == report.tally.captured


def test_an_unreadable_file_fails_the_camera_with_the_fix(rig: Rig, tmp_path: Path, log_lines: list[EventDict]) -> None:
    file = tmp_path / "clip.mp4"
    file.write_bytes(b"no video")
    camera = rig.run(rig.camera(str(file)))
    report = camera.report()
    assert isinstance(report.error, SourceUnreadable)
    assert (report.state, report.exit_code) == (State.FAILED, 2)
    assert camera.readiness() == [f"camera gate: {report.error}"]
    (line,) = [line for line in log_lines if line["event"] == "camera failed"]
    assert line["fix"]


def test_an_error_nobody_foresaw_ends_this_camera_and_says_so(rig: Rig, log_lines: list[EventDict]) -> None:
    camera = rig.run(rig.camera(ScriptedSource([[shot(0, 0), RuntimeError("a bug")]], live=False)))
    assert camera.report().exit_code == 1
    assert len(rig.records()) == 1
    assert "a bug" in str(log_lines)


def test_an_error_in_publishing_accounts_for_every_frame(rig: Rig) -> None:
    def broken(message: Message, on_delivery: object = None) -> bool:
        raise RuntimeError("a bug")

    rig.publisher.publish = broken  # type: ignore[method-assign]
    camera = rig.run(rig.camera(ScriptedSource([[shot(i, 0) for i in range(50)]], live=False), buffer=4))
    report = camera.report()
    assert report.exit_code == 1
    assert report.tally.captured >= 1
    assert sum(report.tally.dropped.values()) >= report.tally.captured - 1  # but the one that the bug took


def test_a_slow_kafka_makes_a_live_camera_shed_its_oldest_and_count_them(rig: Rig) -> None:
    captured_all, kafka_answers = threading.Event(), threading.Event()
    publish = rig.publisher.publish

    def slow(message: Message, on_delivery: object = None) -> bool:
        assert kafka_answers.wait(60)
        return publish(message, on_delivery)  # type: ignore[arg-type]

    rig.publisher.publish = slow  # type: ignore[method-assign]
    source = ScriptedSource([[*(shot(i) for i in range(30)), captured_all.set]], live=True)
    camera = rig.camera(source, buffer=4)
    camera.start()
    assert captured_all.wait(60)
    assert 3 <= rig.metric("vss_camera_buffer_frames") <= 4  # one may have left it
    kafka_answers.set()
    wait_until(lambda: rig.metric("vss_camera_buffer_frames") == 0)
    camera.stop()
    camera.join(Deadline.after(30, SystemClock()))
    seqs = [header.seq for header in rig.headers()]
    assert seqs[-3:] == [27, 28, 29]
    assert len(seqs) <= 5
    assert rig.metric("vss_frames_dropped_total", reason="buffer_full") == 30 - len(seqs)


@pytest.mark.parametrize("option", ["loop", "as_fast_as_possible"])
def test_a_live_source_refuses_what_is_for_files(rig: Rig, option: str) -> None:
    with pytest.raises(ConfigError, match=option.replace("_", "-")):
        rig.camera("rtsp://10.0.0.5/s", **{option: True})


def test_a_real_clip_is_published_whole(rig: Rig, shared_data: Path) -> None:
    clip = shared_data / "video" / "car-detection.mp4"
    camera = rig.run(rig.camera(str(clip), as_fast_as_possible=True, width=384))
    assert camera.report().tally.published == 377
    assert {(header.width, header.height) for header in rig.headers()} == {(384, 216)}
