from __future__ import annotations

from pathlib import Path

import av
import numpy as np
import pytest

from tests.infer.media import picture, read_clip
from vss.errors import ConfigError
from vss.workers.offline.clip import ClipWriter


def test_a_clip_shows_the_pictures_in_order_at_their_times(tmp_path: Path) -> None:
    times_ns = [5_000_000_000, 5_100_000_000, 5_900_000_000]  # not evenly apart, and not from zero
    with ClipWriter(tmp_path / "out.mp4") as clip:
        for level, pts_ns in zip((40, 120, 200), times_ns, strict=True):
            clip.write(picture(level), pts_ns)

    frames = read_clip(tmp_path / "out.mp4")

    assert [round(time_s, 3) for time_s, _ in frames] == [0.0, 0.1, 0.9]
    assert [float(image.mean()) for _, image in frames] == pytest.approx([40, 120, 200], abs=4)


def test_a_clip_is_h264_in_a_format_every_player_shows(tmp_path: Path) -> None:
    with ClipWriter(tmp_path / "out.mp4") as clip:
        clip.write(picture(100), 0)

    with av.open(str(tmp_path / "out.mp4")) as container:
        video = container.streams.video[0]
        assert (video.codec_context.name, video.pix_fmt) == ("h264", "yuv420p")


def test_odd_and_changing_sizes_are_fitted_to_the_first(tmp_path: Path) -> None:
    with ClipWriter(tmp_path / "out.mp4") as clip:
        clip.write(picture(100, 97, 65), 0)
        clip.write(picture(100, 300, 200), 1)
        clip.write(picture(100, 1, 1), 2)

    assert [image.shape for _, image in read_clip(tmp_path / "out.mp4")] == [(64, 96, 3)] * 3


def test_times_that_do_not_advance_still_give_every_picture(tmp_path: Path) -> None:
    with ClipWriter(tmp_path / "out.mp4") as clip:
        for pts_ns in (0, 0, 0, -5):
            clip.write(picture(100), pts_ns)

    assert len(read_clip(tmp_path / "out.mp4")) == 4


def test_the_file_is_there_only_once_it_is_whole(tmp_path: Path) -> None:
    path = tmp_path / "out.mp4"
    path.write_text("an older one")
    with ClipWriter(path) as clip:
        clip.write(picture(100), 0)
        assert path.read_text() == "an older one"
    assert len(read_clip(path)) == 1
    assert [file.name for file in tmp_path.iterdir()] == ["out.mp4"]


def test_an_interrupted_clip_is_finished_with_what_there_is(tmp_path: Path) -> None:
    def interrupted() -> None:
        with ClipWriter(tmp_path / "out.mp4") as clip:
            clip.write(picture(100), 0)
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        interrupted()
    assert len(read_clip(tmp_path / "out.mp4")) == 1


def test_a_clip_without_pictures_is_no_file(tmp_path: Path) -> None:
    with ClipWriter(tmp_path / "out.mp4"):
        pass
    assert list(tmp_path.iterdir()) == []


def test_a_clip_that_cannot_be_written_is_one_line_with_the_fix(tmp_path: Path) -> None:
    (tmp_path / "taken").write_text("a file, no folder")
    with (
        pytest.raises(ConfigError, match="cannot be written") as caught,
        ClipWriter(tmp_path / "taken" / "out.mp4") as clip,
    ):
        clip.write(np.zeros((4, 4, 3), np.uint8), 0)
    assert caught.value.fix
