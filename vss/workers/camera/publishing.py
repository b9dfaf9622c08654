"""The publishing half of a camera: takes frames from the buffer, encodes them and writes them to Kafka."""

from __future__ import annotations

import random
import threading

from vss.codecs.headers import encode_frame_header
from vss.errors import BrokerUnavailable, RecordTooLarge, StreamError, UndecodableImage, VssError
from vss.logs import Logger
from vss.schemas.envelope import Message
from vss.schemas.frame import FrameHeader
from vss.streams.ports import Publisher
from vss.workers.camera.counts import DropReason, FrameCounts
from vss.workers.camera.encoder import EncodedFrame, Encoder
from vss.workers.camera.frame_buffer import CapturedFrame, FrameBuffer

_RETRY_EVERY_S = 0.05
# These begin and end, and each time that is news; the others are faults of single frames, said once a run.
_OUTAGES = frozenset({DropReason.QUEUE_FULL, DropReason.BROKER_AWAY, DropReason.REFUSED})


class Publishing:
    """Runs on a thread of its own, so that encoding never holds capture up.

    Args:
        camera_id: Key of every frame.
        epoch: `vss_epoch`, the start of this run in milliseconds since the epoch.
        buffer: Where frames come from.
        encoder: Makes values of pictures.
        publisher: Kafka; may be shared with other cameras.
        topic: Name of the frames' topic.
        sheds: A frame that Kafka's queue has no room for is dropped (live sources), or waits (files).
        random: Makes trace ids.
        counts: Told of every frame's end.
        stop: The camera is to stop; nothing is waited for any more.
        logger: One line when frames begin to be lost and one when they are written again.
    """

    def __init__(
        self,
        camera_id: str,
        epoch: int,
        buffer: FrameBuffer,
        encoder: Encoder,
        publisher: Publisher,
        *,
        topic: str,
        sheds: bool,
        random: random.Random,
        counts: FrameCounts,
        stop: threading.Event,
        logger: Logger,
    ) -> None:
        self._camera_id = camera_id
        self._key = camera_id.encode()
        self._epoch = epoch
        self._buffer = buffer
        self._encoder = encoder
        self._publisher = publisher
        self._topic = topic
        self._sheds = sheds
        self._random = random
        self._counts = counts
        self._stop = stop
        self._logger = logger
        self._lock = threading.Lock()
        self._unconfirmed = 0
        self._losing: DropReason | None = None
        self._said: set[DropReason] = set()
        self._failure: VssError | None = None

    def run(self) -> None:
        """Publishes until the buffer is closed and empty; what comes from files is then waited for.

        Raises:
            StreamError: The publisher can do no more, or the broker refuses frames that must not be lost.
            ConfigError: The same, for a reason the user can mend.
        """
        while (frame := self._buffer.take()) is not None:
            self._publish(frame)
            self._publisher.poll()
            self._raise_failure()
        while not self._sheds and self._unconfirmed and not self._stop.is_set():
            self._publisher.poll(_RETRY_EVERY_S)
            self._raise_failure()

    def abandon(self) -> None:
        """Counts what is left in the buffer after `run` raised."""
        self._buffer.close()
        while self._buffer.take() is not None:
            self._counts.drop(DropReason.STOPPED)

    def _publish(self, frame: CapturedFrame) -> None:
        try:
            encoded = self._encoder.encode(frame.picture)
        except UndecodableImage as error:
            self._lost(DropReason.UNDECODABLE, str(error))
            return
        message = Message(self._topic, self._key, encoded.data, encode_frame_header(self._header(frame, encoded)))
        with self._lock:
            self._unconfirmed += 1
        tries = 0
        while not self._publisher.publish(message, self._delivered):
            tries += 1
            if self._stop.is_set() or (self._sheds and tries > 1):
                with self._lock:
                    self._unconfirmed -= 1
                self._lost(DropReason.STOPPED if self._stop.is_set() else DropReason.QUEUE_FULL, "the queue is full")
                return
            self._publisher.poll(_RETRY_EVERY_S)
            self._raise_failure()

    def _header(self, frame: CapturedFrame, encoded: EncodedFrame) -> FrameHeader:
        # Version 00, flag 01: sampled. Ids of zeros are not valid, so they start at 1.
        trace_id, span_id = self._random.randrange(1, 1 << 128), self._random.randrange(1, 1 << 64)
        return FrameHeader(
            camera_id=self._camera_id,
            id=f"{self._epoch}-{frame.seq}",
            source=f"/cameras/{self._camera_id}",
            content_type=encoded.content_type,
            captured_ns=frame.captured_ns,
            epoch=self._epoch,
            seq=frame.seq,
            pts_ns=frame.pts_ns,
            width=encoded.width,
            height=encoded.height,
            traceparent=f"00-{trace_id:032x}-{span_id:016x}-01",
        )

    def _delivered(self, error: Exception | None) -> None:
        """Called by the publisher, from whichever thread serves it."""
        with self._lock:
            self._unconfirmed -= 1
        if error is None:
            self._counts.publish()
            self._written()
            return
        reason = _reason(error)
        if not self._sheds and reason is DropReason.REFUSED and self._failure is None:
            self._failure = error if isinstance(error, VssError) else StreamError(str(error))
        self._lost(reason, str(error))

    def _lost(self, reason: DropReason, why: str) -> None:
        self._counts.drop(reason)
        with self._lock:
            news = reason is not self._losing if reason in _OUTAGES else reason not in self._said
            self._said.add(reason)
            if reason in _OUTAGES:
                self._losing = reason
        if news and not self._stop.is_set():
            self._logger.warning("frames are lost; vss_frames_dropped_total counts them", reason=reason.value, why=why)

    def _written(self) -> None:
        with self._lock:
            lost, self._losing = self._losing, None
        if lost is not None:
            self._logger.info("frames are written again")

    def _raise_failure(self) -> None:
        if self._failure is not None:
            raise self._failure


def _reason(error: Exception) -> DropReason:
    if isinstance(error, BrokerUnavailable):
        return DropReason.BROKER_AWAY
    return DropReason.TOO_LARGE if isinstance(error, RecordTooLarge) else DropReason.REFUSED
