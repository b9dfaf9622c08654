"""Sensors as a process runs them."""

from __future__ import annotations

from collections.abc import Callable

from vss.logs import Logger
from vss.metrics import Metrics
from vss.schemas.topics import TELEMETRY
from vss.streams.ports import Publisher
from vss.workers.ingest.process import Kind, Surroundings
from vss.workers.sensor.config import SensorConfig
from vss.workers.sensor.recognise import recognise
from vss.workers.sensor.sample import Source
from vss.workers.sensor.sensor import Sensor


def _recognise(config: SensorConfig, around: Surroundings) -> Source:
    return recognise(
        config,
        clock=around.clock,
        limit_bytes=around.settings.limits.max_reading_bytes,
        on_exception=exception_report(config.id, around.metrics, around.logger),
    )


def _make(config: SensorConfig, source: Source, publisher: Publisher, around: Surroundings) -> Sensor:
    return Sensor(
        config,
        source,
        publisher,
        topic=around.topic,
        metrics=around.metrics,
        clock=around.clock,
        random=around.random,
        logger=around.logger,
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


SENSORS = Kind("sensor", TELEMETRY, _recognise, _make)
