"""The detection step: frames in, one event a frame out."""

from __future__ import annotations

from collections import deque
from collections.abc import Sequence
from concurrent.futures import Future
from concurrent.futures import TimeoutError as FutureTimeout
from typing import Final

from vss.clock import Clock, Deadline
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
from vss.workers.step import Result, Unfinished

_SECONDS_DIGITS: Final = 6


class DetectStep:
    """Detects objects in frames (see `vss.workers.step.Step`).

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
        futures = self._detector.submit(pictures)
        self._headers_seconds.inc(self._clock.monotonic() - started_s)
        return _DetectPending(self, batch, frames, futures, self._clock)

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
        futures: One for each record that has a header.
        clock: For the deadline.
    """

    def __init__(
        self,
        step: DetectStep,
        batch: Sequence[Record],
        frames: Sequence[FrameHeader | Exception],
        futures: Sequence[Future[Detections]],
        clock: Clock,
    ) -> None:
        self._step = step
        self._todo = deque(zip(batch, frames, strict=True))
        self._futures = futures
        self._waiting = deque(futures)
        self._results: list[Result] = []
        self._clock = clock

    def results(self, timeout_s: float | None = None) -> list[Result]:
        """See `Pending.results`. What has a result keeps it when the rest is asked for again."""
        deadline = Deadline.after(timeout_s, self._clock) if timeout_s is not None else None
        while self._todo:
            record, frame = self._todo[0]
            self._results.append(frame if isinstance(frame, Exception) else self._result(record, frame, deadline))
            self._todo.popleft()
        return self._results

    def _result(self, record: Record, frame: FrameHeader, deadline: Deadline | None) -> Result:
        try:
            found = self._waiting[0].result(deadline.remaining_s() if deadline is not None else None)
        except FutureTimeout:
            raise Unfinished("frames are still in inference") from None
        except Exception as error:  # belongs to this record alone; the loop's table decides
            self._waiting.popleft()
            return error
        self._waiting.popleft()
        return self._step.outcome(record, frame, found)

    def cancel(self) -> None:
        """See `Pending.cancel`."""
        for future in self._futures:
            future.cancel()
