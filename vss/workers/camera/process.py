"""Cameras as a process runs them."""

from __future__ import annotations

from vss.schemas.topics import FRAMES
from vss.streams.ports import Publisher
from vss.workers.camera.camera import Camera
from vss.workers.camera.config import CameraConfig
from vss.workers.camera.recognise import recognise
from vss.workers.camera.source import Source
from vss.workers.ingest.process import Kind, Surroundings


def _recognise(config: CameraConfig, _around: Surroundings) -> Source:
    return recognise(config.source, fps=config.fps, timeout_s=config.timeout_s)


def _make(config: CameraConfig, source: Source, publisher: Publisher, around: Surroundings) -> Camera:
    return Camera(
        config,
        source,
        publisher,
        topic=around.topic,
        metrics=around.metrics,
        clock=around.clock,
        random=around.random,
        logger=around.logger,
    )


CAMERAS = Kind("camera", FRAMES, _recognise, _make)
