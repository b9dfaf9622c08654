"""A camera on Kafka's twin in memory."""

from __future__ import annotations

import random
import threading
import time
from collections.abc import Callable
from typing import Any

from vss.clock import Clock, Deadline, SystemClock
from vss.codecs.headers import decode_frame_header
from vss.logs import get_logger
from vss.metrics import Metrics
from vss.schemas.envelope import Record
from vss.schemas.frame import FrameHeader
from vss.testing import InMemoryBroker, InMemoryPublisher
from vss.workers.camera.camera import Camera
from vss.workers.camera.config import camera_config
from vss.workers.camera.recognise import recognise
from vss.workers.camera.source import Source

TOPIC = "frames"


class Rig:
    def __init__(self, clock: Clock | None = None) -> None:
        self.clock: Clock = clock if clock is not None else SystemClock()
        self.broker = InMemoryBroker({TOPIC: 1}, self.clock)
        self.publisher = InMemoryPublisher(self.broker)
        self.metrics = Metrics()

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

    def run(self, camera: Camera, *, within_s: float = 60.0) -> Camera:
        """Runs a camera whose source ends."""
        camera.start()
        wait_until(lambda: camera.ended, within_s)
        camera.join(Deadline.after(10, SystemClock()))
        return camera

    def records(self) -> list[Record]:
        return self.broker.records(TOPIC)

    def headers(self) -> list[FrameHeader]:
        return [decode_frame_header(record) for record in self.records()]

    def metric(self, name: str, **labels: str) -> float:
        value = self.metrics.registry.get_sample_value(name, {"camera": "gate", **labels})
        return value if value is not None else float("nan")


def wait_until(condition: Callable[[], object], within_s: float = 60.0) -> None:
    """Polls; fails the test when the condition does not come true in time."""
    deadline = time.monotonic() + within_s
    while not condition():
        assert time.monotonic() < deadline, f"not within {within_s} s"
        threading.Event().wait(0.02)
