from __future__ import annotations

from pathlib import Path

import cv2
import pytest

from tests.camera.clips import grey_image, index_of, jpeg_of
from vss.errors import SourceUnreadable, UndecodableImage
from vss.workers.camera.image_folder import ImageFolder
from vss.workers.camera.source import Shot


def read_all(source: ImageFolder) -> list[Shot]:
    stream = source.open()
    shots = []
    while (shot := stream.read()) is not None:
        shots.append(shot)
    return shots


def test_pictures_come_in_the_order_a_person_would_put_them(tmp_path: Path) -> None:
    for index, name in enumerate(["img1.jpg", "img2.JPG", "img10.jpeg", "img11.jpg"]):
        (tmp_path / name).write_bytes(jpeg_of(index))
    (tmp_path / "notes.txt").write_text("no picture")
    shots = read_all(ImageFolder(tmp_path, 4))
    assert [index_of(shot.picture.pixels(None)) for shot in shots if shot.picture is not None] == [0, 1, 2, 3]
    assert [shot.pts_ns for shot in shots] == [0, 250_000_000, 500_000_000, 750_000_000]


@pytest.mark.parametrize("suffix", [".png", ".bmp", ".webp", ".tiff", ".jpg"])
def test_every_format_is_read(tmp_path: Path, suffix: str) -> None:
    file = tmp_path / f"still{suffix}"
    assert cv2.imwrite(str(file), grey_image(7))
    (shot,) = read_all(ImageFolder(file))
    assert shot.picture is not None
    assert index_of(shot.picture.pixels(None)) == 7


def test_one_bad_picture_does_not_end_the_folder(tmp_path: Path) -> None:
    (tmp_path / "1.jpg").write_bytes(jpeg_of(0))
    (tmp_path / "2.jpg").write_bytes(b"no picture")
    (tmp_path / "3.jpg").mkdir()
    (tmp_path / "4.jpg").write_bytes(jpeg_of(3))
    first, second, third, fourth = read_all(ImageFolder(tmp_path))
    assert first.picture is not None
    assert second.picture is not None
    with pytest.raises(UndecodableImage):
        second.picture.pixels(None)
    assert third.picture is None
    assert fourth.picture is not None


def test_a_folder_without_pictures_says_what_would_be_one(tmp_path: Path) -> None:
    with pytest.raises(SourceUnreadable) as caught:
        ImageFolder(tmp_path).open()
    assert ".png" in caught.value.fix
