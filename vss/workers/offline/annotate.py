"""Writes pictures with what was found in them: images as images, videos as clips."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from types import TracebackType

from vss.codecs.images import encode_image
from vss.errors import ConfigError
from vss.model_store.drawing.result import draw_result
from vss.workers.offline.clip import ClipWriter
from vss.workers.offline.infer import Found
from vss.workers.offline.inputs import InputFile


class Annotator:
    """A context manager over one folder of results.

    Args:
        folder: Made when missing.
        files: All inputs, so that no two get the same name and none is overwritten.

    Raises:
        ConfigError: The folder cannot be written, or a result would overwrite its input.
    """

    def __init__(self, folder: Path, files: Sequence[InputFile]) -> None:
        self._folder = folder
        self._paths = _choose_paths(folder, files)
        self._clip: tuple[InputFile, ClipWriter] | None = None
        _make_folder(folder)

    def __enter__(self) -> Annotator:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def add(self, found: Found) -> None:
        """Writes one picture; those of a video must come one after the other.

        Raises:
            ConfigError: It cannot be written.
        """
        if found.image is None:
            raise ValueError("the picture was not kept")
        image = draw_result(found.image, found.value)
        path = self._paths[found.file]
        _make_folder(path.parent)
        if not found.file.is_image:
            self._clip_of(found.file, path).write(image, found.picture.pts_ns)
            return
        data = encode_image(image, "png" if path.suffix.lower() == ".png" else "jpeg", quality=92)
        try:
            path.write_bytes(data)
        except OSError as error:
            raise _unwritable(path, error) from error

    def close(self) -> None:
        """Finishes the clip that is being written. Idempotent."""
        if self._clip is not None:
            self._clip[1].close()
            self._clip = None

    def _clip_of(self, file: InputFile, path: Path) -> ClipWriter:
        if self._clip is None or self._clip[0] is not file:
            self.close()
            self._clip = file, ClipWriter(path)
        return self._clip[1]


def _choose_paths(folder: Path, files: Sequence[InputFile]) -> dict[InputFile, Path]:
    """A path of its own for each file: `clip.avi` → `clip.mp4`, a second `a.jpg` → `a_2.jpg`."""
    inputs = {file.path.resolve() for file in files}
    taken: set[Path] = set()
    paths: dict[InputFile, Path] = {}
    for file in files:
        suffix = (".png" if file.path.suffix.lower() == ".png" else ".jpg") if file.is_image else ".mp4"
        if file.is_image and file.path.suffix.lower() in {".jpg", ".jpeg"}:
            suffix = file.path.suffix
        first = path = folder / file.below.with_suffix(suffix)
        number = 1
        while path in taken:
            number += 1
            path = first.with_stem(f"{first.stem}_{number}")
        if path.resolve() in inputs:
            raise ConfigError(f"{path} is an input and would be overwritten", fix="give --save another folder")
        taken.add(path)
        paths[file] = path
    return paths


def _make_folder(folder: Path) -> None:
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise _unwritable(folder, error) from error


def _unwritable(path: Path, error: OSError) -> ConfigError:
    return ConfigError(
        f"{path} cannot be written: {error.strerror}",
        fix="give --save a folder on a disk with space, which you may write to",
    )
