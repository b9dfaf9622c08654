from __future__ import annotations

from pathlib import Path

import av
import numpy as np
import pytest

from tests.camera.clips import index_of, make_clip
from vss.errors import SourceUnreadable
from vss.workers.camera.recognise import recognise
from vss.workers.camera.source import Shot, Source


def read_all(source: Source) -> list[Shot]:
    stream = source.open()
    shots = []
    while (shot := stream.read()) is not None:
        shots.append(shot)
    stream.close()
    return shots


def indices(shots: list[Shot]) -> list[int]:
    return [index_of(shot.picture.pixels(None)) for shot in shots if shot.picture is not None]


def test_every_frame_comes_once_and_in_order_with_its_time(clip: Path) -> None:
    shots = read_all(recognise(str(clip)))
    assert indices(shots) == list(range(20))
    assert [shot.pts_ns for shot in shots] == [index * 40_000_000 for index in range(20)]


def test_a_file_can_be_opened_again(clip: Path) -> None:
    source = recognise(str(clip))
    assert indices(read_all(source)) == indices(read_all(source)) == list(range(20))


def test_motion_jpeg_in_a_file_is_passed_on_undecoded(tmp_path: Path) -> None:
    clip = make_clip(tmp_path / "clip.mkv", frames=5, codec="mjpeg")
    shots = read_all(recognise(str(clip)))
    assert indices(shots) == list(range(5))
    jpegs = [shot.picture.publishable_jpeg(None) for shot in shots if shot.picture is not None]
    assert all(jpeg is not None and jpeg[1:] == (96, 64) for jpeg in jpegs)
    assert [shot.pts_ns for shot in shots] == [index * 40_000_000 for index in range(5)]


def test_a_stream_without_times_counts_at_its_rate(tmp_path: Path) -> None:
    clip = make_clip(tmp_path / "clip.h264", frames=10)
    shots = read_all(recognise(str(clip)))
    assert indices(shots) == list(range(10))
    times_ns = [shot.pts_ns for shot in shots]
    assert all(time_ns is not None for time_ns in times_ns)
    assert times_ns == sorted(set(times_ns), key=lambda time_ns: time_ns or 0)


def sound_only(path: Path) -> Path:
    with av.open(str(path), "w") as container:
        stream = container.add_stream("pcm_s16le", rate=8000)
        frame = av.AudioFrame.from_ndarray(np.zeros((1, 800), np.int16), format="s16", layout="mono")
        frame.sample_rate = 8000
        container.mux(stream.encode(frame))
        container.mux(stream.encode(None))
    return path


def test_a_file_without_video_says_so(tmp_path: Path) -> None:
    with pytest.raises(SourceUnreadable, match="no video in it"):
        recognise(str(sound_only(tmp_path / "sound.wav"))).open()


@pytest.mark.parametrize("data", [b"", b"no video at all" * 100])
def test_a_file_that_is_no_video_never_opens(tmp_path: Path, data: bytes) -> None:
    file = tmp_path / "clip.mp4"
    file.write_bytes(data)
    with pytest.raises(SourceUnreadable) as caught:
        recognise(str(file)).open()
    assert str(file) in str(caught.value)
    assert caught.value.fix


def test_damage_in_the_middle_costs_pictures_and_not_the_rest(tmp_path: Path) -> None:
    whole = make_clip(tmp_path / "whole.ts", frames=40).read_bytes()
    middle = len(whole) // 2
    file = tmp_path / "clip.ts"
    file.write_bytes(whole[: middle - 400] + b"\x00" * 800 + whole[middle + 400 :])
    shots = read_all(recognise(str(file)))
    assert 20 <= len(shots) <= 40
    assert indices(shots)[-1] == 39 % 24


def test_a_real_clip_gives_every_frame(shared_data: Path) -> None:
    shots = read_all(recognise(str(shared_data / "video" / "car-detection.mp4")))
    assert len(shots) == 377
    times_ns = [shot.pts_ns or 0 for shot in shots]
    assert times_ns == sorted(set(times_ns))
    assert abs((times_ns[-1] - times_ns[0]) / 376 - 80e6) < 1e6  # 12.5 a second
