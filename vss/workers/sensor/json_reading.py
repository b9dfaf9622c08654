"""Readings in JSON: the fleet's own schema, or a flat object with a time."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import orjson

from vss.clock import Clock
from vss.workers.sensor.columns import Columns
from vss.workers.sensor.numbers import json_number
from vss.workers.sensor.sample import Sample, checked_id
from vss.workers.sensor.times import Times


@dataclass(frozen=True, slots=True)
class JsonReadings:
    """Makes readings of JSON objects.

    `{"sensor_id": …, "ts": …, "values": {…}}` is the fleet's own schema; its `sensor_id` and `ts` may be absent. Any
    other object is flat: its numbers and nulls are the values.

    Attributes:
        sensor_id: Of objects that name none.
        clock: Tells the time of objects that carry none.
        columns: What the fields are.
        times: Reads the time.
    """

    sensor_id: str
    clock: Clock
    columns: Columns = field(default_factory=Columns)
    times: Times = field(default_factory=Times)

    def decode(self, data: bytes, *, sensor_id: str | None = None) -> Sample:
        """The reading in a JSON text.

        Args:
            data: UTF-8.
            sensor_id: Wins over what the text says, where a topic names the sensor.

        Raises:
            ValueError: It is none; says why.
        """
        return self.reading(json_object(data), sensor_id=sensor_id)

    def reading(self, document: Mapping[str, Any], *, sensor_id: str | None = None) -> Sample:
        """The reading in an object; see `decode`."""
        inner = document.get("values")
        time = self.columns.time_of(document)
        sensor = self.columns.sensor or "sensor_id"
        if self.columns.time is not None and time not in document:
            raise ValueError(f"there is no {time!r} in it")
        if self.columns.sensor is not None and sensor not in document:
            raise ValueError(f"there is no {sensor!r} in it")
        own = sensor_id if sensor_id is not None else document.get(sensor, self.sensor_id)
        if isinstance(own, int) and not isinstance(own, bool):
            own = str(own)
        if not isinstance(own, str):
            raise ValueError(f"{str(own)[:40]!r} cannot be a sensor's id")
        ts_ms = self.times.read_ms(document[time]) if time is not None else self.clock.now_ns() // 1_000_000
        fields = inner if isinstance(inner, dict) else document
        return Sample(checked_id(own), ts_ms, self._values(fields, leave_out={time, sensor}, strict=fields is inner))

    def has_time(self, document: Mapping[str, Any]) -> bool:
        """Whether the object says when it was measured."""
        return self.columns.time_of(document) in document

    def _values(
        self, fields: Mapping[str, Any], *, leave_out: set[str | None], strict: bool
    ) -> dict[str, float | None]:
        if self.columns.features:
            return {
                feature: _number(name, fields[name])
                for feature, name in self.columns.features.items()
                if name in fields
            }
        if strict:
            return {name: _number(name, value) for name, value in fields.items()}
        # What is no number in a flat object (a unit, a place) is no measurement either.
        return {
            name: json_number(value)
            for name, value in fields.items()
            if name not in leave_out and (value is None or type(value) in (int, float))
        }


def json_object(data: bytes) -> dict[str, Any]:
    """The object in a JSON text.

    Raises:
        ValueError: There is none; says why.
    """
    try:
        document = orjson.loads(data)
    except orjson.JSONDecodeError as error:
        raise ValueError(f"no JSON: {error}") from None
    if not isinstance(document, dict):
        raise ValueError("no JSON object")
    return document


def _number(name: str, value: object) -> float | None:
    try:
        return json_number(value)
    except ValueError as error:
        raise ValueError(f"{name!r}: {error}") from None
