"""The step of all workers that look at pictures: frames in, one event a frame out."""

from __future__ import annotations

from collections.abc import Sequence
from concurrent import futures
from concurrent.futures import Future
from typing import Any, Self

from vss.clock import Clock
from vss.codecs.headers import decode_frame_header, event_headers
from vss.codecs.images import read_image_info
from vss.config import Limits, Settings
from vss.metrics import Metrics
from vss.model_store.runner.picture import Picture
from vss.model_store.serving.requests import Request, Served, Server
from vss.schemas.envelope import Message, Outcome, OutcomeKind, Record
from vss.schemas.frame import FrameHeader
from vss.workers.loop.step import Result, Unfinished
from vss.workers.pictures.events import EventMaker, Made, common_fields, written
from vss.workers.pictures.kinds import PictureWorker


class PictureStep:
    """Has frames looked at by the models that are served (see `vss.workers.loop.step.Step`).

    Args:
        name: Of the step: `detect`, `classify`.
        task: What the models must do.
        server: What answers; closed with the step.
        events: Makes the events.
        topic_prefix: What every topic's name starts with.
        group: Consumer group, named in the events' `ce_source`.
        limits: What a frame may weigh.
        metrics: Where time is counted.
        clock: For the events' timestamps.
    """

    def __init__(
        self,
        name: str,
        *,
        task: str,
        server: Server,
        events: EventMaker,
        topic_prefix: str,
        group: str,
        limits: Limits,
        metrics: Metrics,
        clock: Clock,
    ) -> None:
        self.name = name
        self._task = task
        self._server = server
        self._events = events
        self._prefix = topic_prefix
        self._source = f"/groups/{group}"
        self._limits = limits
        self._clock = clock
        self._headers_seconds = metrics.stage_seconds.labels(name, "headers")
        self._encode_seconds = metrics.stage_seconds.labels(name, "encode")

    @classmethod
    def of(
        cls,
        worker: PictureWorker,
        settings: Settings,
        *,
        server: Server,
        group: str,
        metrics: Metrics,
        clock: Clock,
    ) -> Self:
        """The step of one kind of worker, with the settings' topics and limits."""
        return cls(
            worker.name,
            task=worker.task,
            server=server,
            events=worker.events,
            topic_prefix=settings.kafka.topic_prefix,
            group=group,
            limits=settings.limits,
            metrics=metrics,
            clock=clock,
        )

    def begin(self, batch: Sequence[Record]) -> _PendingPictures:
        """Reads headers here and leaves all else to the models' threads."""
        started_s = self._clock.monotonic()
        frames: list[FrameHeader | Exception] = []
        requests: list[Request] = []
        for record in batch:
            try:
                header = decode_frame_header(record)
                info = read_image_info(record.value, header, self._limits)
            except Exception as error:  # belongs to this record alone; the loop's table decides
                frames.append(error)
            else:
                frames.append(header)
                value = record.value or b""
                picture = Picture.encoded(value, info)
                requests.append(Request(picture, record.key or b"", self._task, header.model, value))
        started = self._server.submit(requests)
        self._headers_seconds.inc(self._clock.monotonic() - started_s)
        return _PendingPictures(self, batch, frames, started)

    def outcome(self, record: Record, frame: FrameHeader, served: Served[Any]) -> Outcome:
        """The event of a frame, and what else is written for it."""
        started_s = self._clock.monotonic()
        common = common_fields(record, frame, served, self._clock.now_ns())
        messages = tuple(
            self._message(record, frame, made, common["timestamp"])
            for made in self._events.made(common, served.answer.value)
        )
        self._encode_seconds.inc(self._clock.monotonic() - started_s)
        return Outcome(OutcomeKind.EVENT, messages, frame.captured_ns)

    def close(self) -> None:
        """Frees the models and their threads."""
        self._server.close()

    def _message(self, record: Record, frame: FrameHeader, made: Made, timestamp: str) -> Message:
        headers = event_headers(
            id=made.event.id,
            type=made.topic.ce_type or "",
            source=self._source + made.source,
            time=timestamp,
            traceparent=frame.traceparent,
        )
        return Message(made.topic.name(self._prefix), record.key, written(made.event, self._task), headers)


class _PendingPictures:
    """A micro-batch that is being looked at.

    Args:
        step: Makes the outcomes.
        batch: The records.
        frames: For each record its header, or why it cannot be processed.
        served: One for each record that has a header.
    """

    def __init__(
        self,
        step: PictureStep,
        batch: Sequence[Record],
        frames: Sequence[FrameHeader | Exception],
        served: Sequence[Future[Served[Any]]],
    ) -> None:
        self._step = step
        self._batch = batch
        self._frames = frames
        self._futures = served
        self._results: list[Result] | None = None

    def results(self, timeout_s: float | None = None) -> list[Result]:
        """See `Pending.results`. What has a result keeps it when the rest is asked for again."""
        # One wait for all: woken for each frame, this thread would take the interpreter from the models'.
        if futures.wait(self._futures, timeout_s).not_done:
            raise Unfinished("frames are still in inference")
        if self._results is None:
            served = iter(self._futures)
            self._results = [
                frame if isinstance(frame, Exception) else self._result(record, frame, next(served))
                for record, frame in zip(self._batch, self._frames, strict=True)
            ]
        return self._results

    def _result(self, record: Record, frame: FrameHeader, future: Future[Served[Any]]) -> Result:
        try:
            return self._step.outcome(record, frame, future.result())
        except Exception as error:  # belongs to this record alone; the loop's table decides
            return error

    def again(self, indices: Sequence[int]) -> _PendingPictures:
        """See `Pending.again`."""
        return self._step.begin([self._batch[i] for i in indices])

    def cancel(self) -> None:
        """See `Pending.cancel`."""
        for future in self._futures:
            future.cancel()
