"""A sensor on Kafka's twin in memory."""

from __future__ import annotations

import json
import random
from typing import Any

from tests.ingest.rig import FeedRig
from vss.clock import Clock
from vss.logs import get_logger
from vss.workers.sensor.config import sensor_config
from vss.workers.sensor.process import exception_report
from vss.workers.sensor.recognise import recognise
from vss.workers.sensor.sample import Source
from vss.workers.sensor.sensor import Sensor

TOPIC = "telemetry"


class SensorRig(FeedRig):
    def __init__(self, clock: Clock | None = None) -> None:
        super().__init__(TOPIC, ("sensor", "pump"), clock)

    def recognise(self, source: str, **options: Any) -> Source:
        config = sensor_config({"id": "pump", "source": source, **options})
        report = exception_report("pump", self.metrics, get_logger("sensor"))
        return recognise(config, clock=self.clock, limit_bytes=64 << 10, on_exception=report)

    def sensor(self, source: str | Source, **options: Any) -> Sensor:
        text = source if isinstance(source, str) else source.name
        described = self.recognise(source, **options) if isinstance(source, str) else source
        return Sensor(
            sensor_config({"id": "pump", "source": text, **options}),
            described,
            self.publisher,
            topic=TOPIC,
            metrics=self.metrics,
            clock=self.clock,
            random=random.Random(1),
            logger=get_logger("sensor"),
        )

    def run(self, sensor: Sensor) -> Sensor:
        """Runs a sensor whose source ends."""
        self.finish(sensor)
        return sensor

    def readings(self) -> list[dict[str, Any]]:
        return [json.loads(record.value or b"") for record in self.records()]
