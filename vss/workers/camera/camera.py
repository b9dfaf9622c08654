"""One camera: a source opened, paced, buffered, encoded and published."""

from __future__ import annotations

import random

from vss.clock import Clock
from vss.errors import ConfigError
from vss.logs import Logger
from vss.metrics import Metrics
from vss.streams.ports import Publisher
from vss.workers.camera.config import CameraConfig
from vss.workers.camera.encoder import Encoder
from vss.workers.camera.frame_message import FrameMessages
from vss.workers.camera.frame_taker import CapturedFrame, FrameTaker
from vss.workers.camera.source import Source
from vss.workers.ingest.feed import Feed
from vss.workers.ingest.pacing import Pacer
from vss.workers.ingest.parts import FeedMetrics, Naming, Parts

NAMING = Naming(role="camera", item="picture", items="frames")


class Camera(Feed):
    """One camera of a process.

    Args:
        config: What it is told.
        source: What `config.source` was recognised as.
        publisher: Kafka; may be shared with other cameras.
        topic: Name of the frames' topic.
        metrics: Where everything is counted.
        clock: Time.
        random: Jitter and trace ids.
        logger: Its lines carry the camera's id.

    Raises:
        ConfigError: An option that a live source has no use for.
    """

    def __init__(
        self,
        config: CameraConfig,
        source: Source,
        publisher: Publisher,
        *,
        topic: str,
        metrics: Metrics,
        clock: Clock,
        random: random.Random,
        logger: Logger,
    ) -> None:
        if source.live and (config.loop or config.as_fast_as_possible):
            option = "loop" if config.loop else "as-fast-as-possible"
            raise ConfigError(
                f"camera {config.id}: a live source has no use for --{option}",
                fix=f"leave {option} out, or name a file",
            )
        parts: Parts[CapturedFrame] = Parts(
            config.id,
            NAMING,
            size=config.buffer,
            live=source.live,
            metrics=FeedMetrics(
                up=metrics.camera_up,
                reconnects=metrics.camera_reconnects,
                buffered=metrics.camera_buffer,
                captured=metrics.frames_captured,
                published=metrics.frames_published,
                dropped=metrics.frames_dropped,
            ),
            clock=clock,
            logger=logger,
        )
        encoder = Encoder(codec=config.codec, width=config.width, quality=config.quality)
        super().__init__(
            parts,
            source,
            FrameTaker(
                parts.buffer,
                fps=config.fps,
                live=source.live,
                pacer=Pacer(clock, parts.stop) if not (config.as_fast_as_possible or source.live) else None,
                counts=parts.counts,
                clock=clock,
            ),
            FrameMessages(config.id, clock.now_ns() // 1_000_000, encoder, topic=topic, random=random).encode,
            publisher,
            loop=config.loop,
            random=random,
        )
