"""Folders in YOLO's layout that are not as they should be."""

from pathlib import Path

import pytest

from vss.codecs.images import encode_image
from vss.errors import ConfigError
from vss.model_store.evaluation.labelled import picture_files, read_labels
from vss.testing import make_image


def folder(path: Path, label: bytes, picture: bytes | None = None) -> Path:
    for part in ("images", "labels"):
        (path / part).mkdir()
    (path / "images" / "a.png").write_bytes(picture or encode_image(make_image(64, 32, seed=0), "png"))
    (path / "labels" / "a.txt").write_bytes(label)
    return path


def test_boxes_are_in_pixels_of_their_picture(tmp_path: Path) -> None:
    labelled = folder(tmp_path, b"1 0.5 0.5 0.25 0.5\n\n")
    [box] = read_labels(labelled, picture_files(labelled))["a.png"]
    assert (box.class_id, box.bbox) == (1, (24.0, 8.0, 40.0, 24.0))


@pytest.mark.parametrize(
    ("label", "picture", "named"),
    [
        (b"1 0.5 0.5", None, "a.txt: 3 values"),
        (b"\xff\xfe1 0.5 0.5 0.1 0.1", None, "a.txt: "),
        (b"1 0.5 0.5 0.1 0.1", b"no picture", "a.png cannot be read: "),
    ],
)
def test_what_cannot_be_read_is_named(tmp_path: Path, label: bytes, picture: bytes | None, named: str) -> None:
    labelled = folder(tmp_path, label, picture)
    with pytest.raises(ConfigError, match=named) as raised:
        read_labels(labelled, picture_files(labelled))
    assert raised.value.fix
