"""Readings for a series model, and the windows they make."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
import orjson
from numpy.lib.stride_tricks import sliding_window_view
from numpy.typing import NDArray

from vss.config import KafkaSettings
from vss.errors import StreamError
from vss.logs import get_logger
from vss.model_store.tasks.series.spec import SeriesSpec
from vss.schemas.envelope import Message
from vss.schemas.topics import TELEMETRY
from vss.streams.kafka_publisher import KafkaPublisher

_PATIENCE_S = 120.0
_STEP_MS = 1000


@dataclass(frozen=True, slots=True)
class SeriesFeed:
    """Sensors that each fill one window and then make it due again and again.

    Attributes:
        spec: What the model was trained with; values lie around its training means.
        sensors: How many.
        windows: Of each sensor.
        end_ms: Time of the last reading, milliseconds since the epoch.
    """

    spec: SeriesSpec
    sensors: int
    windows: int
    end_ms: int

    @property
    def readings(self) -> int:
        """In all."""
        return self.sensors * self._each

    @property
    def _each(self) -> int:
        return self.spec.window - 1 + self.windows

    def ready(self, count: int) -> NDArray[np.float32]:
        """Some of the windows, (count, W, F), as a model takes them."""
        found = []
        for sensor in range(self.sensors):
            windows = sliding_window_view(self._values(sensor), self.spec.window, axis=0)
            found.append(windows.transpose(0, 2, 1)[: -(-count // self.sensors)])
        return np.ascontiguousarray(np.concatenate(found)[:count])

    def messages(self, topic: str) -> Iterator[Message]:
        """Readings of all sensors in turn, each sensor's in order of time."""
        values = [self._values(sensor) for sensor in range(self.sensors)]
        start_ms = self.end_ms - (self._each - 1) * _STEP_MS
        for i in range(self._each):
            for sensor, rows in enumerate(values):
                yield self.message(topic, sensor, start_ms + i * _STEP_MS, rows[i])

    def message(self, topic: str, sensor: int, ts_ms: int, row: NDArray[np.float32]) -> Message:
        """One reading."""
        name = f"s-{sensor:05d}"
        said = dict(zip(self.spec.features, row.tolist(), strict=True))
        return Message(topic, name.encode(), orjson.dumps({"sensor_id": name, "ts": ts_ms, "values": said}))

    def row(self, number: int) -> NDArray[np.float32]:
        """A reading's values."""
        rng = np.random.default_rng((1, number))
        return (np.asarray(self.spec.fallback) + rng.normal(0.0, 0.1, len(self.spec.features))).astype(np.float32)

    def publish(self, settings: KafkaSettings) -> None:
        """Fills the topic.

        Raises:
            StreamError: The cluster does not take them.
        """
        publisher = KafkaPublisher(settings, logger=get_logger("bench"))
        try:
            for message in self.messages(TELEMETRY.name(settings.topic_prefix)):
                while not publisher.publish(message):
                    publisher.poll(0.1)
            if publisher.flush(_PATIENCE_S):
                raise StreamError("the cluster did not take the readings in time")
        finally:
            publisher.close()

    def _values(self, sensor: int) -> NDArray[np.float32]:
        rng = np.random.default_rng(sensor)
        noise = rng.normal(0.0, 0.1, (self._each, len(self.spec.features)))
        return np.asarray(self.spec.fallback + noise, np.float32)
