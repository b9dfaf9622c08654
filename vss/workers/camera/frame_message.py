"""From a captured frame to its record."""

from __future__ import annotations

import random

from vss.codecs.headers import encode_frame_header
from vss.schemas.envelope import Message
from vss.schemas.frame import FrameHeader
from vss.workers.camera.encoder import EncodedFrame, Encoder
from vss.workers.camera.frame_taker import CapturedFrame
from vss.workers.ingest.traceparent import new_traceparent


class FrameMessages:
    """Makes records of frames.

    Args:
        camera_id: Key of every frame.
        epoch: `vss_epoch`, the start of this run in milliseconds since the epoch.
        encoder: Makes values of pictures.
        topic: Name of the frames' topic.
        random: Makes trace ids.
    """

    def __init__(self, camera_id: str, epoch: int, encoder: Encoder, *, topic: str, random: random.Random) -> None:
        self._camera_id = camera_id
        self._key = camera_id.encode()
        self._epoch = epoch
        self._encoder = encoder
        self._topic = topic
        self._random = random

    def encode(self, frame: CapturedFrame) -> Message:
        """The record of a frame.

        Raises:
            UndecodableImage: The source's bytes were no whole picture.
        """
        encoded = self._encoder.encode(frame.picture)
        return Message(self._topic, self._key, encoded.data, encode_frame_header(self._header(frame, encoded)))

    def _header(self, frame: CapturedFrame, encoded: EncodedFrame) -> FrameHeader:
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
            traceparent=new_traceparent(self._random),
        )
