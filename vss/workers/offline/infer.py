"""The same as in the workers, without Kafka: pictures in, what was found out, in order and in bounded memory."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable, Iterator, Sequence
from concurrent.futures import Future
from dataclasses import dataclass
from typing import Any, Final

from vss.codecs.images import Image
from vss.errors import VssError
from vss.model_store.serving.requests import Request, Served, Server
from vss.workers.offline.inputs import BadInput, InputFile, InputPicture
from vss.workers.pictures.events import embedding_of
from vss.workers.pictures.kept import KeptPicture

BATCH: Final = 8
# Of one batch; two are in memory at once. A batch of 4K frames is then two of them.
MAX_BATCH_PIXELS: Final = 16_000_000


@dataclass(frozen=True, slots=True)
class Found:
    """What was found in one picture.

    Attributes:
        value: What the model's task makes of it.
        image: The picture, where it was to be kept.
        embedding: What the layer that `--features` names puts out; None unless asked for.
    """

    picture: InputPicture
    value: Any
    image: Image | None
    embedding: tuple[float, ...] | None = None

    @property
    def file(self) -> InputFile:
        """Where the picture is from."""
        return self.picture.file

    @property
    def frame(self) -> int:
        """Which picture of the file."""
        return self.picture.frame


_Waiting = tuple[InputPicture, KeptPicture | None, Future[Served[Any]]] | BadInput


def infer(
    pictures: Iterable[InputPicture | BadInput], server: Server, *, task: str, keep_images: bool = False
) -> Iterator[Found | BadInput]:
    """Has pictures looked at: one result a picture, in order.

    While one batch is in inference, the next is read, so that decoding a video costs no time of its own.

    Args:
        pictures: Read as far as the server keeps up.
        server: Not closed.
        task: What the model must do.
        keep_images: Hand the pictures on with the results.
    """
    waiting: deque[_Waiting] = deque()
    try:
        for batch in _batches(pictures):
            ready = len(waiting)
            waiting.extend(_submit(batch, server, task, keep_images))
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


def _submit(
    batch: Sequence[InputPicture | BadInput], server: Server, task: str, keep_images: bool
) -> Iterator[_Waiting]:
    requests: list[Request] = []
    kept: list[KeptPicture | None] = []
    for one in batch:
        if isinstance(one, InputPicture):
            keeper = KeptPicture(one.picture) if keep_images else None
            picture = one.picture if keeper is None else keeper.picture()
            requests.append(Request(picture, str(one.file.path).encode(), task))
            kept.append(keeper)
    started = zip(kept, server.submit(requests), strict=True)
    for one in batch:
        yield one if isinstance(one, BadInput) else (one, *next(started))


def _result(one: _Waiting) -> Found | BadInput:
    if isinstance(one, BadInput):
        return one
    picture, kept, future = one
    try:
        answer = future.result().answer
    except VssError as error:
        return BadInput(picture.file, picture.frame, error)
    return Found(picture, answer.value, kept.image if kept is not None else None, embedding_of(answer))
