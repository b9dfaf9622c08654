"""One process of sensors."""

from __future__ import annotations

import random
from collections.abc import Callable, Sequence

from vss.clock import Clock, SystemClock
from vss.config import Settings
from vss.logs import Logger
from vss.metrics import Metrics
from vss.schemas.topics import TELEMETRY
from vss.workers.ingest.feed import FeedReport
from vss.workers.ingest.process import run_feeds
from vss.workers.sensor.config import SensorConfig
from vss.workers.sensor.recognise import recognise
from vss.workers.sensor.sensor import Sensor


def run_sensors(
    configs: Sequence[SensorConfig],
    *,
    settings: Settings,
    metrics: Metrics,
    metrics_port: int | None,
    logger: Logger,
    clock: Clock | None = None,
    random_source: random.Random | None = None,
) -> list[FeedReport]:
    """Runs sensors until each has ended, or until SIGTERM or Ctrl-C.

    A sensor that fails does not end the others.

    Args:
        configs: The sensors.
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
        ConfigError: An option does not fit, the topic is missing, or the port is taken.
        SourceUnreadable: The only sensor's source is not there.
    """
    clock = clock if clock is not None else SystemClock()
    random_source = random_source if random_source is not None else random.Random()  # noqa: S311 - jitter and trace ids
    topic = TELEMETRY.name(settings.kafka.topic_prefix)
    return run_feeds(
        configs,
        role="sensor",
        topic=topic,
        recognise=lambda config: recognise(
            config,
            clock=clock,
            limit_bytes=settings.limits.max_reading_bytes,
            on_exception=exception_report(config.id, metrics, logger),
        ),
        make=lambda config, source, publisher: Sensor(
            config, source, publisher, topic=topic, metrics=metrics, clock=clock, random=random_source, logger=logger
        ),
        settings=settings,
        metrics=metrics,
        metrics_port=metrics_port,
        logger=logger,
        clock=clock,
    )


def exception_report(feed_id: str, metrics: Metrics, logger: Logger) -> Callable[[str, str], None]:
    """Counts the exceptions that a Modbus device answers, and says each once.

    Args:
        feed_id: Label of the metric.
        metrics: `vss_sensor_register_errors_total`.
        logger: One line for each register and exception.
    """
    said: set[tuple[str, str]] = set()
    counter = metrics.sensor_register_errors.labels(feed_id)

    def report(registers: str, exception: str) -> None:
        counter.inc()
        if (registers, exception) not in said:
            said.add((registers, exception))
            logger.warning(
                "registers cannot be read and are null", sensor=feed_id, registers=registers, exception=exception
            )

    return report
