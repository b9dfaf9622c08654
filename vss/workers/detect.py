"""The detection step: frames in, one event a frame out."""

from __future__ import annotations

from collections.abc import Sequence
from concurrent import futures
from concurrent.futures import Future
from typing import Final

from vss.clock import Clock
from vss.codecs.event_id import event_id
from vss.codecs.events import encode_event
from vss.codecs.headers import decode_frame_header, event_headers, format_time
from vss.codecs.images import read_image_info
from vss.config import Limits
from vss.metrics import Metrics
from vss.model_store.tasks.detection.detector import Detections, Detector, Picture
from vss.schemas.envelope import Message, Outcome, OutcomeKind, Record
from vss.schemas.events import DETECTION_TYPE, DetectionEvent, SourceCoordinates
from vss.schemas.frame import FrameHeader
from vss.workers.loop.step import Result, Unfinished

_SECONDS_DIGITS: Final = 6


class DetectStep:
    """Detects objects in frames (see `vss.workers.loop.step.Step`).

    Args:
        detector: What detects; closed with the step.
        topic: Where events go.
        group: Consumer group, named in the events' `ce_source`.
        limits: What a frame may weigh.
        metrics: Where time is counted.
        clock: For the events' timestamps.
    """

    name = "detect"

    def __init__(
        self, detector: Detector, *, topic: str, group: str, limits: Limits, metrics: Metrics, clock: Clock
    ) -> None:
        self._detector = detector
        self._topic = topic
        self._source = f"/groups/{group}"
        self._limits = limits
        self._clock = clock
        self._headers_seconds = metrics.stage_seconds.labels(self.name, "headers")
        self._encode_seconds = metrics.stage_seconds.labels(self.name, "encode")

    def begin(self, batch: Sequence[Record]) -> _DetectPending:
        """Reads headers here and leaves all else to the detector's threads."""
        started_s = self._clock.monotonic()
        frames: list[FrameHeader | Exception] = []
        pictures: list[Picture] = []
        for record in batch:
            try:
                header = decode_frame_header(record)
                info = read_image_info(record.value, header, self._limits)
            except Exception as error:  # belongs to this record alone; the loop's table decides
                frames.append(error)
            else:
                frames.append(header)
                pictures.append(Picture.encoded(record.value or b"", info))
        started = self._detector.submit(pictures)
        self._headers_seconds.inc(self._clock.monotonic() - started_s)
        return _DetectPending(self, batch, frames, started)

    def outcome(self, record: Record, frame: FrameHeader, found: Detections) -> Outcome:
        """The event of a frame."""
        started_s = self._clock.monotonic()
        detector = self._detector
        timestamp = format_time(self._clock.now_ns())
        event = DetectionEvent(
            id=event_id(record, detector.name, detector.version),
            camera_id=frame.camera_id,
            captured_at=format_time(frame.captured_ns) if frame.captured_ns is not None else None,
            epoch=frame.epoch,
            seq=frame.seq,
            width=found.width,
            height=found.height,
            objects=found.objects,
            total_objects=len(found.objects),
            model_name=detector.name,
            model_version=detector.version,
            inference_time=round(found.inference_s, _SECONDS_DIGITS),
            processing_time=round(found.processing_s, _SECONDS_DIGITS),
            timestamp=timestamp,
            source=SourceCoordinates(record.topic, record.partition, record.offset),
        )
        headers = event_headers(
            id=event.id,
            type=DETECTION_TYPE,
            source=self._source,
            time=timestamp,
            traceparent=frame.traceparent,
        )
        message = Message(self._topic, record.key, encode_event(event), headers)
        self._encode_seconds.inc(self._clock.monotonic() - started_s)
        return Outcome(OutcomeKind.EVENT, (message,), frame.captured_ns)

    def close(self) -> None:
        """Frees the model and its threads."""
        self._detector.close()


class _DetectPending:
    """A micro-batch in the detector.

    Args:
        step: Makes the outcomes.
        batch: The records.
        frames: For each record its header, or why it cannot be processed.
        detections: One for each record that has a header.
    """

    def __init__(
        self,
        step: DetectStep,
        batch: Sequence[Record],
        frames: Sequence[FrameHeader | Exception],
        detections: Sequence[Future[Detections]],
    ) -> None:
        self._step = step
        self._batch = batch
        self._frames = frames
        self._futures = detections
        self._results: list[Result] | None = None

    def results(self, timeout_s: float | None = None) -> list[Result]:
        """See `Pending.results`. What has a result keeps it when the rest is asked for again."""
        # One wait for all: woken for each frame, this thread would take the interpreter from the detector's.
        if futures.wait(self._futures, timeout_s).not_done:
            raise Unfinished("frames are still in inference")
        if self._results is None:
            found = iter(self._futures)
            self._results = [
                frame if isinstance(frame, Exception) else self._result(record, frame, next(found))
                for record, frame in zip(self._batch, self._frames, strict=True)
            ]
        return self._results

    def _result(self, record: Record, frame: FrameHeader, future: Future[Detections]) -> Result:
        try:
            found = future.result()
        except Exception as error:  # belongs to this record alone; the loop's table decides
            return error
        return self._step.outcome(record, frame, found)

    def cancel(self) -> None:
        """See `Pending.cancel`."""
        for future in self._futures:
            future.cancel()
