"""Pictures to calibrate with, wherever they come from."""

from __future__ import annotations

from pathlib import Path

import cv2
import numpy as np
import pytest

from tests.workers.comparing.conftest import FrameLog
from vss.codecs.images import encode_image
from vss.config import Settings
from vss.errors import ConfigError
from vss.model_store.evaluation.average_precision import TrueBox
from vss.workers.offline.calibration import read_samples

OFFLINE = Settings()


def grey(level: int) -> np.ndarray:
    return np.full((48, 64, 3), level, np.uint8)


def write_images(folder: Path, count: int) -> None:
    folder.mkdir(parents=True)
    for i in range(count):
        cv2.imwrite(str(folder / f"{i:02}.png"), grey(i))


def write_video(path: Path, frames: int) -> None:
    writer = cv2.VideoWriter(str(path), cv2.VideoWriter.fourcc(*"mp4v"), 10, (64, 48))
    for i in range(frames):
        writer.write(grey(i))
    writer.release()


def test_of_many_pictures_some_are_taken_from_all_over(tmp_path: Path) -> None:
    write_images(tmp_path / "pictures", 21)
    found = read_samples(str(tmp_path / "pictures"), OFFLINE, at_most=5)
    assert [Path(sample.name).stem for sample in found] == ["00", "05", "10", "15", "20"]
    assert {sample.truth for sample in found} == {None}
    assert (found[1].picture.width, found[1].picture.height) == (64, 48)


def test_labels_beside_the_pictures_are_read(tmp_path: Path) -> None:
    write_images(tmp_path / "data" / "images", 3)
    (tmp_path / "data" / "labels").mkdir()
    (tmp_path / "data" / "labels" / "01.txt").write_text("7 0.5 0.5 0.5 0.5\n")
    truths = [sample.truth for sample in read_samples(str(tmp_path / "data"), OFFLINE, at_most=10)]
    # A picture without a file has nothing in it, where others have one.
    assert truths == [(), (TrueBox(7, (16, 12, 48, 36)),), ()]


def test_frames_of_videos_are_spread_and_shared_out(tmp_path: Path) -> None:
    (tmp_path / "clips").mkdir()
    write_video(tmp_path / "clips" / "a.mp4", 30)
    write_video(tmp_path / "clips" / "b.mp4", 30)
    found = read_samples(str(tmp_path / "clips"), OFFLINE, at_most=6)
    assert [Path(sample.name).name for sample in found] == [f"{c}.mp4 #{i}" for c in "ab" for i in (0, 10, 20)]
    assert found[1].picture.load((64, 48)).mean() == pytest.approx(10, abs=4)


def test_a_picture_that_cannot_be_read_is_named(tmp_path: Path) -> None:
    write_images(tmp_path / "pictures", 2)
    (tmp_path / "pictures" / "bad.png").write_bytes(b"\x89PNG\r\n\x1a\n")
    with pytest.raises(ConfigError, match=r"bad\.png cannot be read"):
        read_samples(str(tmp_path / "pictures"), OFFLINE, at_most=10)


def test_frames_of_a_topic_are_spread_over_all_of_it(settings: Settings, log: FrameLog) -> None:
    log.write([encode_image(grey(10 * i), "png") for i in range(12)])
    log.write([b"no picture"])
    found = read_samples("topic:frames", settings, at_most=4)
    assert [round(sample.picture.load((64, 48)).mean()) for sample in found] == [0, 30, 60, 90]


def test_a_topic_without_frames_is_refused(settings: Settings, log: FrameLog) -> None:
    with pytest.raises(ConfigError, match="holds no record"):
        read_samples(f"topic:{log.topic}", settings, at_most=4)
