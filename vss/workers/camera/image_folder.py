"""A folder of pictures, or one picture."""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path

from vss.errors import SourceUnreadable
from vss.workers.camera.picture import EncodedPicture
from vss.workers.camera.source import Shot

IMAGE_SUFFIXES = frozenset({".jpg", ".jpeg", ".png", ".bmp", ".webp", ".tif", ".tiff"})
DEFAULT_FPS = 10.0


@dataclass(frozen=True, slots=True)
class ImageFolder:
    """See `vss.workers.camera.source.Source`.

    Attributes:
        path: A folder, whose pictures are taken in the order a person would put their names (`img2` before `img10`),
            or one picture.
        fps: Pictures a second; a folder has no time of its own.
    """

    path: Path
    fps: float = DEFAULT_FPS

    @property
    def name(self) -> str:
        """The path."""
        return str(self.path)

    @property
    def live(self) -> bool:
        """Files wait for their reader."""
        return False

    def open(self) -> _ImageStream:
        """See `Source.open`."""
        try:
            files = [self.path] if self.path.is_file() else _pictures(self.path)
        except OSError as error:
            raise SourceUnreadable(
                f"{self.path} cannot be listed: {error.strerror}", fix="name a folder you may read"
            ) from error
        if not files:
            raise SourceUnreadable(
                f"no pictures in {self.path}", fix=f"name a folder that holds {', '.join(sorted(IMAGE_SUFFIXES))}"
            )
        return _ImageStream(files, self.fps)


class _ImageStream:
    """Files one after the other; one that cannot be read is a shot without a picture."""

    def __init__(self, files: list[Path], fps: float) -> None:
        self._files = files
        self._fps = fps
        self._next = 0

    def read(self) -> Shot | None:
        if self._next >= len(self._files):
            return None
        pts_ns = int(self._next * 1_000_000_000 / self._fps)
        file = self._files[self._next]
        self._next += 1
        try:
            return Shot(EncodedPicture(file.read_bytes()), pts_ns)
        except OSError:
            return Shot(None, pts_ns)

    def close(self) -> None:
        """Nothing is held open."""


def _pictures(folder: Path) -> list[Path]:
    return sorted((file for file in folder.iterdir() if file.suffix.lower() in IMAGE_SUFFIXES), key=natural_order)


def natural_order(file: Path) -> tuple[list[tuple[int, int | str]], str]:
    """Sorts names as a person would: `img2` before `img10`."""
    parts = re.split(r"(\d+)", file.name.lower())
    return [(0, int(part)) if part.isdecimal() else (1, part) for part in parts], file.name
