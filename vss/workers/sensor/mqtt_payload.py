"""From an MQTT message to a reading."""

from __future__ import annotations

from dataclasses import dataclass

from vss.workers.sensor.json_reading import JsonReadings, json_object
from vss.workers.sensor.numbers import cell_number
from vss.workers.sensor.sample import Sample, checked_id
from vss.workers.sensor.topic_pattern import FromTopic, TopicPattern


@dataclass(frozen=True, slots=True)
class MqttPayloads:
    """Makes readings of payloads: a JSON object, or a plain number.

    Attributes:
        readings: For JSON.
        pattern: What the topic says; None says nothing.
        limit_bytes: A larger payload is no reading.
    """

    readings: JsonReadings
    pattern: TopicPattern | None
    limit_bytes: int

    def decode(self, topic: str, payload: bytes, *, retained: bool) -> Sample | None:
        """The reading of a message; None where the broker had kept it and nobody knows since when.

        Args:
            topic: Of the message.
            payload: As it came.
            retained: Whether the broker had kept it.

        Raises:
            ValueError: It is none; says why.
        """
        if len(payload) > self.limit_bytes:
            raise ValueError(f"longer than {self.limit_bytes} bytes")
        said = self.pattern.read(topic) if self.pattern is not None else FromTopic()
        if payload.lstrip()[:1] in (b"{", b"["):
            document = json_object(payload)
            if retained and not self.readings.has_time(document):
                return None
            return self.readings.reading(document, sensor_id=said.sensor)
        if retained:
            return None
        try:
            value = cell_number(payload.decode())
        except UnicodeDecodeError:
            raise ValueError("neither JSON nor a number") from None
        sensor_id = checked_id(said.sensor if said.sensor is not None else self.readings.sensor_id)
        names = list(self.readings.columns.features)
        feature = said.feature if said.feature is not None else (names[0] if len(names) == 1 else "value")
        return Sample(sensor_id, self.readings.clock.now_ns() // 1_000_000, {feature: value})
