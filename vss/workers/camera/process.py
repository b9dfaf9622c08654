"""One process of cameras."""

from __future__ import annotations

import random
from collections.abc import Sequence

from vss.clock import Clock, SystemClock
from vss.config import Settings
from vss.logs import Logger
from vss.metrics import Metrics
from vss.schemas.topics import FRAMES
from vss.workers.camera.camera import Camera
from vss.workers.camera.config import CameraConfig
from vss.workers.camera.recognise import recognise
from vss.workers.ingest.feed import FeedReport
from vss.workers.ingest.process import run_feeds


def run_cameras(
    configs: Sequence[CameraConfig],
    *,
    settings: Settings,
    metrics: Metrics,
    metrics_port: int | None,
    logger: Logger,
    clock: Clock | None = None,
    random_source: random.Random | None = None,
) -> list[FeedReport]:
    """Runs cameras until each has ended, or until SIGTERM or Ctrl-C.

    A camera that fails does not end the others.

    Args:
        configs: The cameras.
        settings: The cluster.
        metrics: Where everything is counted.
        metrics_port: Where `/metrics` is; 0 picks a port, None serves none.
        logger: For what a person wants to know.
        clock: Time.
        random_source: Jitter and trace ids.

    Returns:
        How each ended, in the order of `configs`.

    Raises:
        BrokerUnavailable: No broker answers at the start.
        ConfigError: The topic is missing, the port is taken, or the client refuses its settings.
        SourceUnreadable: The only camera's source is not there.
    """
    clock = clock if clock is not None else SystemClock()
    random_source = random_source if random_source is not None else random.Random()  # noqa: S311 - jitter and trace ids
    topic = FRAMES.name(settings.kafka.topic_prefix)
    return run_feeds(
        configs,
        role="camera",
        topic=topic,
        recognise=lambda config: recognise(config.source, fps=config.fps, timeout_s=config.timeout_s),
        make=lambda config, source, publisher: Camera(
            config, source, publisher, topic=topic, metrics=metrics, clock=clock, random=random_source, logger=logger
        ),
        settings=settings,
        metrics=metrics,
        metrics_port=metrics_port,
        logger=logger,
        clock=clock,
    )
