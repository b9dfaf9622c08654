from __future__ import annotations

from pathlib import Path

import cv2
import numpy as np
import pytest

from tests.infer.media import picture, read_clip, write_clip, write_image
from vss.errors import ConfigError
from vss.model_store.runner.picture import Picture
from vss.schemas.events import DetectedObject
from vss.workers.offline.annotate import Annotator
from vss.workers.offline.infer import Found
from vss.workers.offline.inputs import InputFile, InputPicture, find_inputs

OBJECT = DetectedObject(class_="bolt", class_id=0, confidence=0.9, bbox=(20.0, 20.0, 60.0, 60.0), center=(40.0, 40.0))


def found(file: InputFile, frame: int = 0, level: int = 128) -> Found:
    image = picture(level)
    return Found(InputPicture(file, frame, Picture.decoded(image), frame * 100_000_000), (OBJECT,), image)


def files_of(*paths: Path) -> list[InputFile]:
    return find_inputs([str(path) for path in paths])


def written(folder: Path) -> list[str]:
    return sorted(str(path.relative_to(folder)) for path in folder.rglob("*") if path.is_file())


def test_images_stay_images_and_videos_become_clips_under_their_own_names(tmp_path: Path) -> None:
    source, out = tmp_path / "in", tmp_path / "deep" / "out"
    for name in ("a.jpg", "b.png", "sub/c.JPEG", "d.webp"):
        write_image(source / name, 128)
    write_clip(source / "e.avi", [128])

    with Annotator(out, files_of(source)) as annotator:
        for file in files_of(source):
            annotator.add(found(file))

    assert written(out) == ["a.jpg", "b.png", "d.jpg", "e.mp4", "sub/c.JPEG"]
    for name in ("a.jpg", "b.png", "d.jpg", "sub/c.JPEG"):
        image = cv2.imread(str(out / name))
        assert image is not None
        assert image.shape == (64, 96, 3)
        assert np.abs(image[40, 60].astype(int) - 128).max() > 30, "no box was drawn"
        assert np.abs(image[45, 80].astype(int) - 128).max() < 10


def test_the_frames_of_a_video_become_one_clip_and_the_next_video_another(tmp_path: Path) -> None:
    clips = [write_clip(tmp_path / f"{name}.mp4", [128]) for name in "ab"]
    files = files_of(*clips)

    with Annotator(tmp_path / "out", files) as annotator:
        for file, frames in zip(files, (3, 2), strict=True):
            for frame in range(frames):
                annotator.add(found(file, frame, 50 + 50 * frame))

    assert [round(float(image[-1, -1].mean()), -1) for _, image in read_clip(tmp_path / "out" / "a.mp4")] == [
        50,
        100,
        150,
    ]
    assert len(read_clip(tmp_path / "out" / "b.mp4")) == 2


def test_inputs_of_one_name_do_not_overwrite_each_other(tmp_path: Path) -> None:
    images = [write_image(tmp_path / folder / "a.jpg", 128) for folder in ("x", "y", "z")]
    files = files_of(*images)

    with Annotator(tmp_path / "out", files) as annotator:
        for file in files:
            annotator.add(found(file))

    assert written(tmp_path / "out") == ["a.jpg", "a_2.jpg", "a_3.jpg"]


def test_an_input_is_never_overwritten(tmp_path: Path) -> None:
    image = write_image(tmp_path / "a.jpg", 128)
    (tmp_path / "link").symlink_to(tmp_path)

    for folder in (tmp_path, tmp_path / "link"):
        with pytest.raises(ConfigError, match="would be overwritten") as caught:
            Annotator(folder, files_of(image))
        assert "--save" in caught.value.fix


def test_a_folder_that_cannot_be_written_is_one_line_with_the_fix(tmp_path: Path) -> None:
    image = write_image(tmp_path / "a.jpg", 128)

    for folder in (image / "out", Path("/proc/out")):
        with pytest.raises(ConfigError, match="cannot be written") as caught:
            Annotator(folder, files_of(image))
        assert "--save" in caught.value.fix
