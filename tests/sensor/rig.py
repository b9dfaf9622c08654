"""A sensor on Kafka's twin in memory."""

from __future__ import annotations

import json
import random
from typing import Any

from tests.camera.rig import wait_until
from vss.clock import Clock, Deadline, SystemClock
from vss.logs import get_logger
from vss.metrics import Metrics
from vss.schemas.envelope import Record
from vss.testing import InMemoryBroker, InMemoryPublisher
from vss.workers.sensor.config import sensor_config
from vss.workers.sensor.process import exception_report
from vss.workers.sensor.recognise import recognise
from vss.workers.sensor.sample import Source
from vss.workers.sensor.sensor import Sensor

TOPIC = "telemetry"


class SensorRig:
    def __init__(self, clock: Clock | None = None) -> None:
        self.clock: Clock = clock if clock is not None else SystemClock()
        self.broker = InMemoryBroker({TOPIC: 1}, self.clock)
        self.publisher = InMemoryPublisher(self.broker)
        self.metrics = Metrics()

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

    def run(self, sensor: Sensor, *, within_s: float = 60.0) -> Sensor:
        """Runs a sensor whose source ends."""
        sensor.start()
        wait_until(lambda: sensor.ended, within_s)
        sensor.join(Deadline.after(10, SystemClock()))
        return sensor

    def stop(self, sensor: Sensor) -> None:
        sensor.stop()
        sensor.join(Deadline.after(30, SystemClock()))
        assert sensor.ended

    def records(self) -> list[Record]:
        return self.broker.records(TOPIC)

    def readings(self) -> list[dict[str, Any]]:
        return [json.loads(record.value or b"") for record in self.records()]

    def metric(self, name: str, **labels: str) -> float:
        value = self.metrics.registry.get_sample_value(name, {"sensor": "pump", **labels})
        return value if value is not None else float("nan")
