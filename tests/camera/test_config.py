from __future__ import annotations

from pathlib import Path

import pytest

from vss.errors import ConfigError
from vss.workers.camera.config import camera_config, load_cameras


def cameras_file(folder: Path, text: str) -> Path:
    file = folder / "cameras.toml"
    file.write_text(text)
    return file


def test_many_cameras_come_from_one_file(tmp_path: Path) -> None:
    file = cameras_file(
        tmp_path,
        """
        [[camera]]
        id = "gate"
        source = "rtsp://10.0.0.5/s"
        fps = 10
        width = 640
        [[camera]]
        id = "belt"
        source = "belt.mp4"
        loop = true
        codec = "png"
        """,
    )
    gate, belt = load_cameras(file)
    assert (gate.id, gate.fps, gate.width, gate.codec, gate.loop) == ("gate", 10, 640, "jpeg", False)
    assert (belt.id, belt.source, belt.loop, belt.codec) == ("belt", "belt.mp4", True, "png")


def test_flags_hold_for_every_camera_that_says_nothing_else(tmp_path: Path) -> None:
    file = cameras_file(tmp_path, '[[camera]]\nid="a"\nsource="a.mp4"\n[[camera]]\nid="b"\nsource="b.mp4"\nfps=2\n')
    assert [camera.fps for camera in load_cameras(file, {"fps": 5})] == [5, 2]


@pytest.mark.parametrize(
    ("text", "message", "fix"),
    [
        ('[[camera]]\nid="a"\nsource="a"\nwidht=3', "widht", "did you mean width?"),
        ('[[cameras]]\nid="a"\nsource="a"', "cameras", "did you mean camera?"),
        ('[[camera]]\nid="a"', "source is missing", "source"),
        ('[[camera]]\nid="a b"\nsource="a"', "'a b' cannot be a key", "letters"),
        ('[[camera]]\nid="a"\nsource="a"\nfps=0', "fps", "fitting value"),
        ('[[camera]]\nid="a"\nsource="a"\ncodec="gif"', "codec", "fitting value"),
        ('[[camera]]\nid="a"\nsource="a"\n[[camera]]\nid="a"\nsource="b"', "2 cameras are called a", "its own"),
        ("camera = 3", "holds no camera", "[[camera]]"),
        ("", "holds no camera", "[[camera]]"),
        ("[[camera", "no TOML", "line"),
    ],
)
def test_a_wrong_file_is_refused_with_the_fix(tmp_path: Path, text: str, message: str, fix: str) -> None:
    with pytest.raises(ConfigError) as caught:
        load_cameras(cameras_file(tmp_path, text))
    assert message in str(caught.value)
    assert fix in caught.value.fix


def test_a_file_that_is_not_there_is_named(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match=r"absent\.toml cannot be read: No such file"):
        load_cameras(tmp_path / "absent.toml")


def test_a_refused_camera_does_not_show_its_password() -> None:
    with pytest.raises(ConfigError) as caught:
        camera_config({"id": "a", "source": ["rtsp://admin:hunter2@cam/s"]})
    assert "hunter2" not in f"{caught.value!r} {caught.value.fix} {caught.value.__cause__!r}"
    assert "hunter2" not in repr(camera_config({"id": "a", "source": "rtsp://admin:hunter2@cam/s"}))
