"""A cascade: what a detector finds in a micro-batch is looked at by a second model, in one batched call."""

from __future__ import annotations

import threading
from collections.abc import Collection, Sequence
from concurrent.futures import CancelledError, Future
from dataclasses import replace
from functools import partial
from time import perf_counter
from typing import Any

from vss.model_store.serving.requests import Request, Served, Server
from vss.model_store.tasks.classification.task import CLASSIFICATION
from vss.schemas.events import DetectedObject, ObjectClassification
from vss.workers.pictures.crops import content_of, crop_of, cut
from vss.workers.pictures.events import SECONDS_DIGITS, embedding_of
from vss.workers.pictures.kept import KeptPicture


class Cascade:
    """Answers detections whose objects carry what a second model says of them (see `Server`).

    When the last frame of a micro-batch has its objects, the crops of all its frames are submitted together, on the
    thread that finished it; the loop's thread waits for nothing. A frame is decoded once, at its full size, so that
    crops are sharp. It has one outcome: where the second model fails on one of its objects, the frame has failed, and
    the error table decides as for any other.

    Args:
        detector: Finds the objects; closed with the cascade.
        classifier: Answers requests of the task `classification` from any thread; may be the same server.
        classes: Which objects are looked at; None takes all.
    """

    def __init__(self, detector: Server, classifier: Server, *, classes: Collection[str] | None = None) -> None:
        self._detector = detector
        self._classifier = classifier
        self._classes = frozenset(classes) if classes is not None else None

    def submit(self, requests: Sequence[Request]) -> list[Future[Served[Any]]]:
        """See `Server.submit`."""
        kept = [KeptPicture(request.picture) for request in requests]
        seen = [replace(request, picture=one.picture()) for request, one in zip(requests, kept, strict=True)]
        found = self._detector.submit(seen)
        frames = [_Frame(*one) for one in zip(requests, kept, found, strict=True)]
        _Batch(frames, self._classifier, self._classes).start()
        return [frame.future for frame in frames]

    def close(self) -> None:
        """See `Server.close`."""
        self._detector.close()
        self._classifier.close()


class _Frame:
    """One frame on its way through both models.

    Attributes:
        future: Of both; cancelled with what is under way for it.
        chosen: Which of its objects are looked at.
        crops: What the second model is asked for them.
        said: What it says of them, some day.
    """

    def __init__(self, request: Request, kept: KeptPicture, found: Future[Served[Any]]) -> None:
        self.request = request
        self.found = found
        self.future: Future[Served[Any]] = _Both(self)
        self.chosen: list[int] = []
        self.crops: list[Request] = []
        self.said: list[Future[Served[Any]]] = []
        self._kept = kept
        self._started_s = 0.0
        self._lock = threading.Lock()
        self._ended = False

    def choose(self, classes: frozenset[str] | None) -> None:
        """Says which crops are to be looked at; a frame that has none is finished."""
        self._started_s = perf_counter()
        if self.found.cancelled() or self.future.cancelled():
            self.future.cancel()
            self.finish(CancelledError())
            return
        if (error := self.found.exception()) is not None:
            self.finish(error)
            return
        answer = self.found.result().answer
        self.chosen = [i for i, one in enumerate(answer.value) if classes is None or one.class_ in classes]
        if self.chosen:
            self.crops = self._cut([answer.value[i] for i in self.chosen], answer.width, answer.height)
        else:
            self.finish(self.found.result())

    def follow(self, said: list[Future[Served[Any]]]) -> None:
        """What the second model says of each crop, some day."""
        self.said = said
        if self.future.cancelled():
            self.cancel()
        left = len(said)

        def count(_: Future[Served[Any]]) -> None:
            nonlocal left
            with self._lock:
                left -= 1
                last = left == 0
            if last:
                self._combine()

        for future in said:
            future.add_done_callback(count)

    def finish(self, result: Served[Any] | BaseException) -> None:
        """Ends it, once; of one that was cancelled nothing is kept but that."""
        with self._lock:
            if self._ended:
                return
            self._ended = True
        self.crops = []
        self._kept.drop()
        if not self.future.set_running_or_notify_cancel():
            return
        if isinstance(result, BaseException):
            self.future.set_exception(result)
        else:
            self.future.set_result(result)

    def cancel(self) -> None:
        """Lets go of what has not started."""
        for future in (self.found, *self.said):
            future.cancel()

    def _cut(self, objects: Sequence[DetectedObject], width: int, height: int) -> list[Request]:
        request = self.request
        crops = [crop_of(one.bbox, width, height) for one in objects]
        return [
            Request(
                picture=picture,
                key=request.key,
                task=CLASSIFICATION.name,
                content=content_of(request.content, crop) if request.content is not None else None,
            )
            for picture, crop in zip(cut(self._kept, crops), crops, strict=True)
        ]

    def _combine(self) -> None:
        try:
            self.finish(self._combined())
        except BaseException as error:  # whatever it is, the frame must not wait for ever
            self.finish(error)

    def _combined(self) -> Served[Any]:
        served = self.found.result()
        objects = list(served.answer.value)
        for i, said in zip(self.chosen, self.said, strict=True):
            objects[i] = replace(objects[i], classification=_classification(said.result()))
        took_s = served.answer.processing_s + perf_counter() - self._started_s
        return replace(served, answer=replace(served.answer, value=tuple(objects), processing_s=took_s))


class _Batch:
    """The frames of a micro-batch, until all are through the first model."""

    def __init__(self, frames: Sequence[_Frame], classifier: Server, classes: frozenset[str] | None) -> None:
        self._frames = frames
        self._classifier = classifier
        self._classes = classes
        self._left = len(frames)
        self._lock = threading.Lock()

    def start(self) -> None:
        for frame in self._frames:
            frame.found.add_done_callback(partial(self._found, frame))

    def _found(self, frame: _Frame, _: Future[Served[Any]]) -> None:
        # Here and not when all are through: what is not needed of a frame's pixels goes at once.
        try:
            frame.choose(self._classes)
        except BaseException as error:  # whatever it is, the frame must not wait for ever
            frame.finish(error)
        with self._lock:
            self._left -= 1
            last = self._left == 0
        if last:
            self._classify()

    def _classify(self) -> None:
        frames = [frame for frame in self._frames if frame.crops]
        try:
            said = iter(self._classifier.submit([crop for frame in frames for crop in frame.crops]) if frames else [])
            for frame in frames:
                frame.follow([next(said) for _ in frame.chosen])
        except BaseException as error:  # whatever it is, no frame must wait for ever
            for frame in frames:
                frame.finish(error)


class _Both(Future[Served[Any]]):
    """Cancelled with what is under way for it."""

    def __init__(self, frame: _Frame) -> None:
        super().__init__()
        self._frame = frame

    def cancel(self) -> bool:
        cancelled = super().cancel()
        if cancelled:
            self._frame.cancel()
        return cancelled


def _classification(said: Served[Any]) -> ObjectClassification:
    answer = said.answer
    return ObjectClassification(
        predictions=answer.value,
        model_name=said.name,
        model_version=said.version,
        inference_time=round(answer.inference_s, SECONDS_DIGITS),
        embedding=embedding_of(answer),
    )
