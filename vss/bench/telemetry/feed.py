"""Made-up readings, and what a rolling score says of them: what every contender is given and held to."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Final

import numpy as np
import orjson
from numpy.lib.stride_tricks import sliding_window_view
from numpy.typing import NDArray

from vss.bench.telemetry.rolling import FEATURES, PERIOD_MS, STRIDE, WINDOW, rolling_scores
from vss.config import KafkaSettings
from vss.errors import StreamError
from vss.logs import get_logger
from vss.schemas.envelope import Message
from vss.schemas.topics import TELEMETRY
from vss.streams.kafka_publisher import KafkaPublisher
from vss.streams.topic_admin import create_topics

_PATIENCE_S: Final = 120.0
# So that float32 holds every value as it is, and each contender sums up the same numbers.
_STEPS: Final = 8


@dataclass(frozen=True, slots=True)
class Feed:
    """Readings of sensors that are read in turn, each in order of time.

    Attributes:
        sensors: How many.
        readings: In all; a multiple of `sensors`.
        start_ms: Time of the first, milliseconds since the epoch; a multiple of stride and period.
    """

    sensors: int
    readings: int
    start_ms: int

    @property
    def events(self) -> int:
        """Windows that are due: the first full one of each sensor, and then each tenth reading's."""
        return int(self._due().sum()) * self.sensors

    def reference(self) -> dict[tuple[str, int], float]:
        """The score of each window that is due, by sensor and time, in double precision."""
        due = np.flatnonzero(self._due())
        found = {}
        for sensor in range(self.sensors):
            windows = sliding_window_view(self._values(sensor), WINDOW, axis=0)[due - (WINDOW - 1)]
            scores = rolling_scores(windows.transpose(0, 2, 1)).tolist()
            name = self._name(sensor)
            for i, score in zip(due.tolist(), scores, strict=True):
                found[name, self.start_ms + i * PERIOD_MS] = score
        return found

    def publish(self, settings: KafkaSettings) -> None:
        """Makes the topics and fills that of readings.

        Raises:
            StreamError: The cluster does not take them.
        """
        create_topics(settings)
        topic = TELEMETRY.name(settings.topic_prefix)
        publisher = KafkaPublisher(settings, logger=get_logger("bench"))
        names = [self._name(sensor) for sensor in range(self.sensors)]
        values = [self._values(sensor).tolist() for sensor in range(self.sensors)]
        try:
            for i in range(self.readings // self.sensors):
                ts_ms = self.start_ms + i * PERIOD_MS
                for name, (p, q) in zip(names, (rows[i] for rows in values), strict=True):
                    value = f'{{"sensor_id":"{name}","ts":{ts_ms},"values":{{"p":{p:.3f},"q":{q:.3f}}}}}'
                    message = Message(topic, name.encode(), value.encode())
                    while not publisher.publish(message):
                        publisher.poll(0.1)
                publisher.poll(0.0)
            if publisher.flush(_PATIENCE_S):
                raise StreamError("the cluster did not take the readings in time")
        finally:
            publisher.close()

    def _due(self) -> NDArray[np.bool_]:
        """Of a sensor's readings."""
        at = np.arange(self.readings // self.sensors)
        first = at == WINDOW - 1
        return np.asarray(first | ((at >= WINDOW) & (at % STRIDE == 0)))

    def _values(self, sensor: int) -> NDArray[np.float64]:
        """(readings of the sensor, features)."""
        rng = np.random.default_rng(sensor)
        steps = rng.integers(0, 40 * _STEPS, (self.readings // self.sensors, len(FEATURES)))
        return np.asarray(steps / _STEPS + 10.0)

    @staticmethod
    def _name(sensor: int) -> str:
        return f"s-{sensor:02d}"


def event(sensor_id: str, ts_ms: int, score: float) -> bytes:
    """What each contender writes of a window."""
    return orjson.dumps({"sensor_id": sensor_id, "ts": ts_ms, "score": score})


def said(value: bytes | None) -> tuple[tuple[str, int], float]:
    """What an event says: sensor and time, and the score."""
    document: dict[str, Any] = orjson.loads(value or b"{}")
    return (document["sensor_id"], document["ts"]), document["score"]
