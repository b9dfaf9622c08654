from __future__ import annotations

from pathlib import Path

import av

from vss.demo.scene.clips import cached_clips, encode_clip
from vss.demo.scene.scene import Scene


def test_a_clip_is_one_loop_of_its_scene_in_h264(tmp_path: Path) -> None:
    path = tmp_path / "belt.mp4"
    encode_clip(path, seed=4, seconds=1.0, fps=10)
    with av.open(str(path)) as container:
        stream = container.streams.video[0]
        assert stream.codec_context.name == "h264"
        frames = [frame.to_ndarray(format="bgr24") for frame in container.decode(stream)]
    scene = Scene(4, fps=10, loop_s=1.0)
    assert len(frames) == scene.frames_in_loop == 10
    for number in (0, 9):
        difference = frames[number].astype(int) - scene.frame(number)[0].astype(int)
        assert abs(difference).mean() < 6
    assert [path.name for path in tmp_path.iterdir()] == ["belt.mp4"]


def test_clips_are_kept_for_the_next_demo_and_old_ones_go(tmp_path: Path) -> None:
    old = tmp_path / "belt-of-an-older-edition.mp4"
    old.touch()
    paths = cached_clips(tmp_path, [1, 2], seconds=0.4, fps=5)
    assert [path.exists() for path in paths] == [True, True]
    assert not old.exists()
    written = [path.stat().st_mtime_ns for path in paths]
    assert cached_clips(tmp_path, [1, 2], seconds=0.4, fps=5) == paths
    assert [path.stat().st_mtime_ns for path in paths] == written


def test_no_clip_is_made_when_none_is_wanted(tmp_path: Path) -> None:
    assert cached_clips(tmp_path / "scenes", []) == []
