from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

import pytest

from tests.infer.media import write_clip, write_image
from vss.config import Limits
from vss.errors import ImageTooLarge, SourceUnreadable, UndecodableImage
from vss.testing import make_bomb
from vss.workers.offline.inputs import BadInput, InputFile, InputPicture, count_pictures, find_inputs, read_pictures


def read(*paths: Path, every: int = 1) -> list[InputPicture | BadInput]:
    return list(read_pictures(find_inputs([str(path) for path in paths]), every=every, limits=Limits()))


def levels(pictures: Iterable[InputPicture | BadInput]) -> list[int]:
    """Mean grey of each picture, rounded to tens."""
    means: list[int] = []
    for one in pictures:
        assert isinstance(one, InputPicture), one
        picture = one.picture
        image = picture.load((picture.width, picture.height))
        assert image.shape == (picture.height, picture.width, 3)
        means.append(round(float(image.mean()) / 10) * 10)
    return means


def bad(one: InputPicture | BadInput) -> BadInput:
    assert isinstance(one, BadInput)
    return one


def test_a_folder_gives_images_and_videos_below_it_in_the_order_a_person_expects(tmp_path: Path) -> None:
    for name in ("img10.png", "img2.jpg", "img1.JPG", "sub/a.bmp", "notes.txt", "sub/deep/b.webp"):
        write_image(tmp_path / name, 100) if name != "notes.txt" else (tmp_path / name).write_text("no picture")
    write_clip(tmp_path / "clip.mp4", [10])

    found = [str(file.below) for file in find_inputs([str(tmp_path)])]

    assert found == ["clip.mp4", "img1.JPG", "img2.jpg", "img10.png", "sub/a.bmp", "sub/deep/b.webp"]


def test_the_folder_that_results_go_to_is_no_input(tmp_path: Path) -> None:
    write_image(tmp_path / "a.png", 100)
    write_image(tmp_path / "out" / "a.png", 100)

    assert [file.below for file in find_inputs([str(tmp_path)], leave_out=tmp_path / "out")] == [Path("a.png")]


@pytest.mark.parametrize("name", ["none.jpg", "rtsp://camera/stream", "none/"])
def test_an_input_that_does_not_exist_is_refused_before_anything_is_done(tmp_path: Path, name: str) -> None:
    image = write_image(tmp_path / "a.png", 100)

    with pytest.raises(SourceUnreadable, match="no such file or folder") as caught:
        find_inputs([str(image), name if "://" in name else str(tmp_path / name)])
    assert caught.value.fix


def test_a_folder_without_pictures_is_refused(tmp_path: Path) -> None:
    (tmp_path / "notes.txt").write_text("no picture")

    with pytest.raises(SourceUnreadable, match="no images or videos"):
        find_inputs([str(tmp_path)])


@pytest.mark.parametrize("suffix", [".jpg", ".png", ".bmp", ".webp", ".tiff"])
def test_images_of_every_format_are_read(tmp_path: Path, suffix: str) -> None:
    assert levels(read(write_image(tmp_path / f"a{suffix}", 100))) == [100]


def test_a_video_gives_every_nth_frame_with_its_number_and_time(tmp_path: Path) -> None:
    clip = write_clip(tmp_path / "clip.mp4", [10, 50, 90, 130, 170, 210, 250], rate=10)

    pictures = read(clip, every=3)

    assert levels(pictures) == [10, 130, 250]
    assert [one.frame for one in pictures] == [0, 3, 6]
    assert [round(one.pts_ns / 1e9, 3) for one in pictures if isinstance(one, InputPicture)] == [0, 0.3, 0.6]
    file = InputFile(clip, Path("clip.mp4"))
    assert [count_pictures(file, every) for every in (1, 2, 3, 7, 8)] == [7, 4, 3, 1, 1]


def test_a_corrupt_image_among_many_is_told_and_the_others_are_read(tmp_path: Path) -> None:
    whole = write_image(tmp_path / "whole.jpg", 100)
    (tmp_path / "empty.jpg").write_bytes(b"")
    (tmp_path / "nonsense.png").write_bytes(b"not a picture at all")
    (tmp_path / "zeros.bmp").write_bytes(bytes(100))

    pictures = read(tmp_path / "empty.jpg", tmp_path / "nonsense.png", whole, tmp_path / "zeros.bmp")

    assert levels([pictures[2]]) == [100]
    for index in (0, 1, 3):
        assert isinstance(bad(pictures[index]).error, UndecodableImage)


def test_a_truncated_jpeg_fails_when_it_is_loaded_and_never_gives_half_a_picture(tmp_path: Path) -> None:
    path = write_image(tmp_path / "cut.jpg", 100, 640, 480)
    path.write_bytes(path.read_bytes()[:-200])

    (one,) = read(path)

    if isinstance(one, InputPicture):
        with pytest.raises(UndecodableImage):
            one.picture.load((1, 1))
    else:
        assert isinstance(one.error, UndecodableImage)


def test_what_a_phone_appends_to_a_jpeg_is_no_damage(tmp_path: Path) -> None:
    path = write_image(tmp_path / "phone.jpg", 100)
    path.write_bytes(path.read_bytes() + b"notes of a phone" + bytes(16))

    assert levels(read(path)) == [100]


def test_the_orientation_in_exif_is_applied(tmp_path: Path) -> None:
    path = write_image(tmp_path / "phone.jpg", 100, 96, 64)
    # One entry: orientation (0x0112), a short, 6: turn it clockwise by 90 degrees (TIFF 6.0, Exif 2.32).
    tiff = b"MM\0*" + bytes([0, 0, 0, 8, 0, 1, 1, 0x12, 0, 3, 0, 0, 0, 1, 0, 6, 0, 0, 0, 0, 0, 0])
    segment = b"Exif\0\0" + tiff
    whole = path.read_bytes()
    path.write_bytes(whole[:2] + b"\xff\xe1" + (len(segment) + 2).to_bytes(2, "big") + segment + whole[2:])

    (one,) = read(path)

    assert isinstance(one, InputPicture)
    assert (one.picture.width, one.picture.height) == (64, 96)


def test_a_bomb_is_refused_by_its_header(tmp_path: Path) -> None:
    (tmp_path / "bomb.png").write_bytes(make_bomb())

    (one,) = read(tmp_path / "bomb.png")

    assert isinstance(bad(one).error, ImageTooLarge)


def test_a_file_that_is_neither_image_nor_video_is_told(tmp_path: Path) -> None:
    (tmp_path / "clip.mp4").write_bytes(b"no video" * 100)

    (one,) = read(tmp_path / "clip.mp4")

    assert isinstance(bad(one).error, SourceUnreadable)
    assert bad(one).error.fix
    assert count_pictures(one.file, 1) is None


def test_a_video_that_breaks_off_gives_what_there_is(tmp_path: Path) -> None:
    path = write_clip(tmp_path / "cut.ts", [10 * level for level in range(24)], width=320, height=240)
    whole = len(read(path))
    path.write_bytes(path.read_bytes()[: path.stat().st_size // 2])

    pictures = [one for one in read(path) if isinstance(one, InputPicture)]

    assert 0 < len(pictures) < whole == 24
