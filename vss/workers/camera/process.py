"""One process of cameras: the cluster, the cameras, the endpoint, the signals, and an orderly end."""

from __future__ import annotations

import random
import threading
from collections.abc import Sequence
from contextlib import ExitStack

from vss.clock import Clock, Deadline, SystemClock
from vss.config import Settings
from vss.errors import VssError
from vss.logs import Logger
from vss.metrics import Metrics
from vss.schemas import topics as catalogue
from vss.streams.kafka_publisher import KafkaPublisher
from vss.workers.camera.camera import Camera, CameraReport
from vss.workers.camera.config import CameraConfig
from vss.workers.camera.counts import FrameTally
from vss.workers.camera.recognise import recognise
from vss.workers.camera.source import Source
from vss.workers.camera.status import State
from vss.workers.endpoint import Endpoint
from vss.workers.service import stop_on_signals

_POLL_S = 0.1
# Together with the publishers' own last flush this stays within the few seconds that a supervisor grants.
_STOP_S = 2.5


def run_cameras(
    configs: Sequence[CameraConfig],
    *,
    settings: Settings,
    metrics: Metrics,
    metrics_port: int | None,
    logger: Logger,
    clock: Clock | None = None,
    random_source: random.Random | None = None,
) -> list[CameraReport]:
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
    sources, failed = _recognise(configs, logger)
    with stop_on_signals() as stop, ExitStack() as resources:
        publishers = _publishers(settings, sources, logger, resources)
        cameras = [
            Camera(
                config,
                sources[config.id],
                publishers[sources[config.id].live],
                topic=catalogue.FRAMES.name(settings.kafka.topic_prefix),
                metrics=metrics,
                clock=clock,
                random=random_source,
                logger=logger,
            )
            for config in configs
            if config.id in sources
        ]

        def readiness() -> list[str]:
            lost = [f"camera {report.id}: {report.error}" for report in failed.values()]
            return lost + [reason for camera in cameras for reason in camera.readiness()]

        if metrics_port is not None:
            # Alive is who answers: what goes wrong here is retried, or ends a camera that a restart would not mend.
            endpoint = Endpoint(
                metrics_port, registry=metrics.registry, health=list, readiness=readiness, logger=logger
            )
            resources.callback(endpoint.close)
        _run_until_over(cameras, list(publishers.values()), stop, clock)
    ended = failed | {camera.id: camera.report() for camera in cameras}
    for camera in cameras:
        _say_how_it_ended(ended[camera.id], logger)
    return [ended[config.id] for config in configs]


def _run_until_over(
    cameras: Sequence[Camera], publishers: Sequence[KafkaPublisher], stop: threading.Event, clock: Clock
) -> None:
    """Starts the cameras, waits until all have ended or `stop` is set, and brings what is left to Kafka."""
    for camera in cameras:
        camera.start()
    while not stop.is_set() and not all(camera.ended for camera in cameras):
        # Deliveries are reported here, too, for a camera whose source is silent.
        for publisher in publishers:
            publisher.poll(_POLL_S / len(publishers))
    for camera in cameras:
        camera.stop()
    deadline = Deadline.after(_STOP_S, clock)
    for camera in cameras:
        camera.join(deadline)
    for publisher in publishers:
        publisher.close()


def _say_how_it_ended(report: CameraReport, logger: Logger) -> None:
    logger.info(
        "camera stopped",
        camera=report.id,
        state=report.state.value,
        captured=report.frames.captured,
        published=report.frames.published,
        dropped=report.frames.dropped,
    )


def _recognise(configs: Sequence[CameraConfig], logger: Logger) -> tuple[dict[str, Source], dict[str, CameraReport]]:
    sources: dict[str, Source] = {}
    failed: dict[str, CameraReport] = {}
    for config in configs:
        try:
            sources[config.id] = recognise(config.source, fps=config.fps, timeout_s=config.timeout_s)
        except VssError as error:
            if len(configs) == 1:
                raise
            logger.error("camera failed", camera=config.id, reason=str(error), fix=error.fix)
            failed[config.id] = CameraReport(config.id, State.FAILED, FrameTally(0, 0, {}), error)
    return sources, failed


def _publishers(
    settings: Settings, sources: dict[str, Source], logger: Logger, resources: ExitStack
) -> dict[bool, KafkaPublisher]:
    """One for live sources, whose frames Kafka must take in time, one for files, whose frames wait for it."""
    publishers: dict[bool, KafkaPublisher] = {}
    for live in sorted({source.live for source in sources.values()}):
        publisher = publishers[live] = KafkaPublisher(settings.kafka, logger=logger, patient=not live)
        resources.callback(publisher.close)
        publisher.require_topic(catalogue.FRAMES.name(settings.kafka.topic_prefix))
    return publishers
