"""How many frames a second the cameras may send: no more than the machine can keep up with."""

from __future__ import annotations

import statistics
from typing import Any

from vss.clock import Clock
from vss.codecs.images import Image
from vss.errors import SourceUnreadable, UndecodableImage
from vss.model_store.runner.runner import Runner
from vss.workers.camera.recognise import recognise

# Cameras, Kafka, Redis and this program work on the same cores as the model.
_SHARE = 0.4
_MEASURE_S = 1.0
_LEAST_FPS = 1.0


def first_image(source: str) -> Image:
    """The first picture of a camera's source, which shows that it can be read.

    Raises:
        SourceError: It cannot.
    """
    stream = recognise(source).open()
    try:
        while (shot := stream.read()) is not None:
            if shot.picture is None:
                continue
            try:
                return shot.picture.pixels(None)
            except UndecodableImage:
                continue
    finally:
        stream.close()
    raise SourceUnreadable(f"{source} holds no picture", fix="name a video with pictures in it")


def measured_fps(detector: Runner[Any], image: Image, clock: Clock) -> float:
    """How many such pictures a second the detector takes.

    Args:
        detector: With as many threads as all workers have.
        image: (H, W, 3) BGR.
        clock: For the time it takes.
    """
    images = [image] * detector.threads
    detector.run(images)
    started_s = last_s = clock.monotonic()
    times_s = []
    while last_s - started_s < _MEASURE_S:
        detector.run(images)
        before_s, last_s = last_s, clock.monotonic()
        times_s.append(last_s - before_s)
    # The median: what else starts on this machine at the moment will not run for long.
    return len(images) / statistics.median(times_s)


def camera_fps(machine_fps: float, cameras: int, most: float) -> float:
    """The pace of each camera: `most`, or the next half below what leaves room for all that is not the model."""
    fair = machine_fps * _SHARE / cameras
    if fair >= most:
        return most
    return min(most, max(_LEAST_FPS, int(fair * 2) / 2))
