"""Labelled pictures in YOLO's layout: `images/*.jpg`, and `labels/*.txt` of the same stems."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Final

from vss.codecs.images import ImageInfo, read_image_info
from vss.config import Limits
from vss.errors import BadRecord, ConfigError
from vss.model_store.evaluation.average_precision import TrueBox
from vss.schemas.frame import FrameHeader

_SUFFIXES: Final = {".jpg", ".jpeg", ".png"}


def picture_files(folder: Path) -> dict[str, Path]:
    """Pictures by file name, of `images/` or the folder itself.

    Raises:
        ConfigError: There are none.
    """
    images = folder / "images" if (folder / "images").is_dir() else folder
    files = {path.name: path for path in sorted(images.glob("*")) if path.suffix.lower() in _SUFFIXES}
    if not files:
        raise ConfigError(f"no pictures in {images}", fix="give a folder with images/*.jpg and labels/*.txt")
    return files


def read_labels(folder: Path, files: Mapping[str, Path]) -> dict[str, list[TrueBox]]:
    """Labelled objects by picture, from `labels/<stem>.txt`: class, centre and size as shares of the picture.

    A picture without a file has no objects; without any file the result is empty.

    Raises:
        ConfigError: A line is none, or a file cannot be read; names the file.
    """
    if not any((folder / "labels").glob("*.txt")):
        return {}
    truth: dict[str, list[TrueBox]] = {}
    for name, path in files.items():
        labels = folder / "labels" / f"{path.stem}.txt"
        try:
            info = read_image_info(path.read_bytes(), FrameHeader(camera_id=""), Limits())
        except (BadRecord, OSError) as error:
            raise ConfigError(f"{path} cannot be read: {error}", fix="remove or repair it") from error
        try:
            lines = labels.read_text(encoding="utf-8").splitlines() if labels.is_file() else []
            truth[name] = [_true_box(line, info) for line in lines if line.strip()]
        except (ValueError, OSError) as error:
            raise ConfigError(f"{labels}: {error}", fix="write lines of: class x y width height") from error
    return truth


def _true_box(line: str, info: ImageInfo) -> TrueBox:
    parts = line.split()
    if len(parts) != 5:
        raise ValueError(f"{len(parts)} values in {line[:60]!r}")
    x, y, width, height = map(float, parts[1:])
    corners = (x - width / 2, y - height / 2, x + width / 2, y + height / 2)
    x1, y1, x2, y2 = (c * size for c, size in zip(corners, (info.width, info.height) * 2, strict=True))
    return TrueBox(int(parts[0]), (x1, y1, x2, y2))
