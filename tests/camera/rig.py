"""A camera on Kafka's twin in memory."""

from __future__ import annotations

import random
from typing import Any

from tests.ingest.rig import FeedRig
from vss.clock import Clock
from vss.codecs.headers import decode_frame_header
from vss.logs import get_logger
from vss.schemas.frame import FrameHeader
from vss.workers.camera.camera import Camera
from vss.workers.camera.config import camera_config
from vss.workers.camera.recognise import recognise
from vss.workers.camera.source import Source

TOPIC = "frames"


class Rig(FeedRig):
    def __init__(self, clock: Clock | None = None) -> None:
        super().__init__(TOPIC, ("camera", "gate"), clock)

    def camera(self, source: str | Source = "scripted", **options: Any) -> Camera:
        text = source if isinstance(source, str) else source.name
        config = camera_config({"id": "gate", "source": text, **options})
        described = recognise(text, fps=config.fps, timeout_s=config.timeout_s) if isinstance(source, str) else source
        return Camera(
            config,
            described,
            self.publisher,
            topic=TOPIC,
            metrics=self.metrics,
            clock=self.clock,
            random=random.Random(1),
            logger=get_logger("camera"),
        )

    def run(self, camera: Camera) -> Camera:
        """Runs a camera whose source ends."""
        self.finish(camera)
        return camera

    def headers(self) -> list[FrameHeader]:
        return [decode_frame_header(record) for record in self.records()]
