"""The same detection as in the workers, without Kafka: pictures in, objects out, in order and in bounded memory."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable, Iterator, Sequence
from concurrent.futures import Future
from dataclasses import dataclass, replace
from typing import Any, Final, Protocol

from vss.codecs.events import encode_event
from vss.codecs.images import Image
from vss.errors import VssError
from vss.model_store.runner.answer import Answer
from vss.model_store.runner.picture import Picture
from vss.schemas.events import DetectedObject
from vss.workers.offline.inputs import BadInput, InputFile, InputPicture

BATCH: Final = 8
# Of one batch; two are in memory at once. A batch of 4K frames is then two of them.
MAX_BATCH_PIXELS: Final = 16_000_000


class BatchDetector(Protocol):
    """What is needed of `Runner`."""

    def submit(self, pictures: Sequence[Picture]) -> list[Future[Answer[Any]]]:
        """Starts work on a batch."""


@dataclass(frozen=True, slots=True)
class Found:
    """What was found in one picture.

    Attributes:
        image: The picture, where it was to be kept.
    """

    picture: InputPicture
    objects: tuple[DetectedObject, ...]
    image: Image | None

    @property
    def file(self) -> InputFile:
        """Where the picture is from."""
        return self.picture.file

    @property
    def frame(self) -> int:
        """Which picture of the file."""
        return self.picture.frame


@dataclass(frozen=True, slots=True)
class ResultLine:
    """One line of `vss infer --json`.

    Attributes:
        source: Path of the image or video.
        frame: Counts the frames of a video from 0; 0 for an image.
    """

    source: str
    frame: int
    objects: tuple[DetectedObject, ...]


def json_line(found: Found) -> str:
    """A result as JSON, without the line's end."""
    return encode_event(ResultLine(str(found.file.path), found.frame, found.objects)).decode()


class _Kept:
    """Keeps a picture's pixels once they are loaded, at their full size."""

    def __init__(self, picture: Picture) -> None:
        self._picture = picture
        self.image: Image | None = None

    def load(self, _at_least: tuple[int, int]) -> Image:
        if self.image is None:
            self.image = self._picture.load((self._picture.width, self._picture.height))
        return self.image


_Waiting = tuple[InputPicture, _Kept | None, Future[Answer[Any]]] | BadInput


def infer(
    pictures: Iterable[InputPicture | BadInput], detector: BatchDetector, *, keep_images: bool = False
) -> Iterator[Found | BadInput]:
    """Runs a detector over pictures: one result a picture, in order.

    While one batch is in inference, the next is read, so that decoding a video costs no time of its own.

    Args:
        pictures: Read as far as the detector keeps up.
        detector: Not closed.
        keep_images: Hand the pictures on with the results.
    """
    waiting: deque[_Waiting] = deque()
    try:
        for batch in _batches(pictures):
            ready = len(waiting)
            waiting.extend(_submit(batch, detector, keep_images))
            for _ in range(ready):
                yield _result(waiting.popleft())
        while waiting:
            yield _result(waiting.popleft())
    finally:
        for one in waiting:
            if not isinstance(one, BadInput):
                one[2].cancel()


def _batches(pictures: Iterable[InputPicture | BadInput]) -> Iterator[list[InputPicture | BadInput]]:
    batch: list[InputPicture | BadInput] = []
    pixels = 0
    for picture in pictures:
        batch.append(picture)
        pixels += 0 if isinstance(picture, BadInput) else picture.picture.width * picture.picture.height
        if len(batch) >= BATCH or pixels >= MAX_BATCH_PIXELS:
            yield batch
            batch, pixels = [], 0
    if batch:
        yield batch


def _submit(batch: Sequence[InputPicture | BadInput], detector: BatchDetector, keep_images: bool) -> Iterator[_Waiting]:
    pictures: list[Picture] = []
    kept: list[_Kept | None] = []
    for one in batch:
        if isinstance(one, InputPicture):
            keeper = _Kept(one.picture) if keep_images else None
            pictures.append(one.picture if keeper is None else replace(one.picture, load=keeper.load))
            kept.append(keeper)
    started = zip(kept, detector.submit(pictures), strict=True)
    for one in batch:
        yield one if isinstance(one, BadInput) else (one, *next(started))


def _result(one: _Waiting) -> Found | BadInput:
    if isinstance(one, BadInput):
        return one
    picture, kept, future = one
    try:
        return Found(picture, future.result().value, kept.image if kept is not None else None)
    except VssError as error:
        return BadInput(picture.file, picture.frame, error)
