"""One camera: a source opened, paced, buffered, encoded and published."""

from __future__ import annotations

import random
import threading

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
from vss.workers.ingest.backoff import Backoff
from vss.workers.ingest.buffer import Buffer
from vss.workers.ingest.capture import Capture
from vss.workers.ingest.counts import Counts
from vss.workers.ingest.feed import Feed
from vss.workers.ingest.pacing import Pacer
from vss.workers.ingest.publishing import Publishing
from vss.workers.ingest.status import SourceStatus


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
        logger = logger.bind(camera=config.id)
        stop = threading.Event()
        buffer: Buffer[CapturedFrame] = Buffer(config.buffer, shed_oldest=source.live)
        metrics.camera_buffer.labels(config.id).set_function(lambda: len(buffer))
        counts = Counts(config.id, metrics.frames_captured, metrics.frames_published, metrics.frames_dropped)
        status = SourceStatus(
            "camera",
            metrics.camera_up.labels(config.id),
            metrics.camera_reconnects.labels(config.id),
            item="picture",
            clock=clock,
            logger=logger,
        )
        pacer = Pacer(clock, stop) if not (config.as_fast_as_possible or source.live) else None
        encoder = Encoder(codec=config.codec, width=config.width, quality=config.quality)
        messages = FrameMessages(config.id, clock.now_ns() // 1_000_000, encoder, topic=topic, random=random)
        super().__init__(
            config.id,
            "camera",
            {"source": source.name, "live": source.live},
            capture=Capture(
                source,
                FrameTaker(buffer, fps=config.fps, live=source.live, pacer=pacer, counts=counts, clock=clock),
                item="picture",
                loop=config.loop,
                backoff=Backoff(random),
                status=status,
                clock=clock,
                stop=stop,
            ),
            publishing=Publishing(
                buffer,
                messages.encode,
                publisher,
                sheds=source.live,
                items="frames",
                counts=counts,
                stop=stop,
                logger=logger,
            ),
            buffer=buffer,
            counts=counts,
            status=status,
            stop=stop,
            logger=logger,
        )
