"""Calls of the model under way: pictures prepared side by side, one run for all of a call, objects handed out."""

from __future__ import annotations

import threading
from collections.abc import Sequence
from concurrent.futures import Future
from dataclasses import dataclass
from time import perf_counter

import numpy as np
from numpy.typing import NDArray

from vss.errors import InferenceFailed
from vss.model_store.backends.onnx import OnnxModel
from vss.model_store.tasks.detection.letterbox import InputBuffer, Letterbox, Placement
from vss.model_store.tasks.detection.objects import ObjectMaker
from vss.model_store.tasks.detection.picture import Picture
from vss.model_store.tasks.detection.report import DetectorReport
from vss.schemas.events import DetectedObject


@dataclass(frozen=True, slots=True)
class Detections:
    """What was found in one picture.

    Attributes:
        objects: Most confident first, in pixels of the source.
        inference_s: This picture's share of the model call, seconds.
        processing_s: From the start of its decoding to its objects, seconds.
        width: Of the source, pixels.
        height: Of the source, pixels.
    """

    objects: tuple[DetectedObject, ...]
    inference_s: float
    processing_s: float
    width: int
    height: int


class Pipeline:
    """What every call needs: the model, what comes before and after it, and buffers that are used again.

    Args:
        model: The model.
        letterbox: Makes its input.
        maker: Reads its output.
        batch: Pictures a call has room for.
        report: Counts; None counts nothing.
    """

    def __init__(
        self, model: OnnxModel, letterbox: Letterbox, maker: ObjectMaker, *, batch: int, report: DetectorReport | None
    ) -> None:
        self.model = model
        self.letterbox = letterbox
        self.maker = maker
        self.batch = batch
        self.report = report
        # A call takes its buffer when its first picture comes up: at most one a thread and one more are out at once.
        self._free: list[InputBuffer] = []

    def borrow(self) -> InputBuffer:
        """A buffer, last used first."""
        try:
            return self._free.pop()
        except IndexError:
            return InputBuffer(self.letterbox, self.batch)

    def give_back(self, buffer: InputBuffer) -> None:
        """The buffer is free."""
        self._free.append(buffer)

    def forget_buffers(self) -> None:
        """Frees them."""
        self._free.clear()


@dataclass(slots=True)
class _Prepared:
    slot: int
    picture: Picture
    future: Future[Detections]
    placement: Placement
    started_s: float


class Call:
    """One call of the model, for at most `Pipeline.batch` pictures.

    `prepare` is called once for each picture, by whichever thread is free; the one that finishes the last of them runs
    the model. So decoding goes on elsewhere while a call runs, and no thread waits for another.
    """

    def __init__(self, pipeline: Pipeline, pictures: Sequence[Picture]) -> None:
        self._pipeline = pipeline
        self._pictures = pictures
        self.futures: list[Future[Detections]] = [Future() for _ in pictures]
        self._lock = threading.Lock()
        self._buffer: InputBuffer | None = None
        self._missing = len(pictures)
        self._prepared: list[_Prepared] = []

    def prepare(self, slot: int) -> None:
        """Decodes a picture into the call's input; what goes wrong is the result of this picture alone."""
        future = self.futures[slot]
        prepared = None
        # A cancelled picture is left out.
        if future.set_running_or_notify_cancel():
            try:
                prepared = self._write(slot)
            except BaseException as error:
                future.set_exception(error)
        with self._lock:
            if prepared is not None:
                self._prepared.append(prepared)
            self._missing -= 1
            last = self._missing == 0
        if last:
            self._finish()

    def _write(self, slot: int) -> _Prepared:
        pipeline, picture = self._pipeline, self._pictures[slot]
        started_s = perf_counter()
        placement = pipeline.letterbox.place(picture.width, picture.height)
        image = picture.load((placement.width, placement.height))
        decoded_s = perf_counter()
        with self._lock:
            if self._buffer is None:
                self._buffer = pipeline.borrow()
            buffer = self._buffer
        buffer.write(slot, image, placement)
        if pipeline.report is not None:
            pipeline.report.prepared(decoded_s - started_s, perf_counter() - decoded_s)
        return _Prepared(slot, picture, self.futures[slot], placement, started_s)

    def _finish(self) -> None:
        buffer, self._buffer = self._buffer, None
        try:
            if self._prepared and buffer is not None:
                self._run(buffer)
        except BaseException as error:
            for prepared in self._prepared:
                if not prepared.future.done():
                    prepared.future.set_exception(error)
        finally:
            if buffer is not None:
                self._pipeline.give_back(buffer)

    def _run(self, buffer: InputBuffer) -> None:
        pipeline, count = self._pipeline, len(self._prepared)
        started_s = perf_counter()
        try:
            outputs: NDArray[np.float32] = pipeline.model.run(self._input(buffer))[0].astype(np.float32, copy=False)
        except Exception as error:
            if pipeline.report is not None:
                pipeline.report.failed(count)
            raise InferenceFailed(f"{type(error).__name__}: {error}") from error
        ran_s = perf_counter()
        if pipeline.report is not None:
            pipeline.report.ran(count, ran_s - started_s)
        for prepared, output in zip(self._prepared, outputs, strict=False):
            self._hand_out(prepared, output, (ran_s - started_s) / count)

    def _input(self, buffer: InputBuffer) -> NDArray[np.float32]:
        slots = [prepared.slot for prepared in self._prepared]
        images = buffer.images
        if (fixed := self._pipeline.model.batch) is not None and fixed > 1:
            # The model takes no fewer: what is left over repeats a picture, and its output is not looked at.
            slots += slots[:1] * (fixed - len(slots))
        if slots == list(range(len(slots))):
            return images[: len(slots)]
        return images[slots]

    def _hand_out(self, prepared: _Prepared, output: NDArray[np.float32], inference_s: float) -> None:
        pipeline, picture = self._pipeline, prepared.picture
        started_s = perf_counter()
        objects = pipeline.maker.objects(output, prepared.placement, picture.width, picture.height)
        now_s = perf_counter()
        if pipeline.report is not None:
            pipeline.report.finished(now_s - started_s)
        prepared.future.set_result(
            Detections(objects, inference_s, now_s - prepared.started_s, picture.width, picture.height)
        )
