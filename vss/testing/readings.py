"""Makers of readings, whole and broken, as a sensor or any other producer would write them."""

from __future__ import annotations

from collections.abc import Mapping

import orjson

from vss.schemas.envelope import Headers, Message

START_MS = 1_700_000_000_000
"""When a made sensor measures first, milliseconds since the epoch."""
PERIOD_MS = 1_000
"""How often it does."""


def make_reading(
    sensor_id: str = "sensor",
    seq: int = 0,
    *,
    values: Mapping[str, float | None] | None = None,
    ts: int | str | None = None,
    period_ms: int = PERIOD_MS,
    topic: str = "vss.telemetry",
    headers: Headers = (),
) -> Message:
    """A reading of a sensor that measures at a steady pace.

    Args:
        sensor_id: The key.
        seq: Counts the sensor's readings.
        values: By feature; `pressure` and `flow`, which follow from `seq`, by default.
        ts: When it was measured: RFC 3339 or milliseconds since the epoch; `seq` periods after a fixed moment by
            default.
        period_ms: Of the sensor.
        topic: Where it goes.
        headers: None is needed.
    """
    if values is None:
        values = {"pressure": 1.0 + 0.01 * (seq % 10), "flow": 30.0 + 0.1 * (seq % 7)}
    moment = ts if ts is not None else START_MS + seq * period_ms
    value = orjson.dumps({"sensor_id": sensor_id, "ts": moment, "values": dict(values)})
    return Message(topic, sensor_id.encode(), value, headers)


def make_bad_readings(sensor_id: str = "sensor", *, topic: str = "vss.telemetry") -> dict[str, tuple[Message, str]]:
    """Readings that can never be processed: by what is wrong, each with the name of the error that refuses it.

    What is merely missing (null, NaN, a feature that is not there) is not among them: a model's rule stands in for it.
    """
    key = sensor_id.encode()

    def written(ts: object = START_MS, values: object = None, sensor: object = sensor_id) -> Message:
        value = {"sensor_id": sensor, "ts": ts, "values": values if values is not None else {"pressure": 1.0}}
        return Message(topic, key, orjson.dumps(value))

    def raw(value: bytes | None) -> Message:
        return Message(topic, key, value)

    return {
        "no key": (Message(topic, None, written().value), "MissingKey"),
        "a key that is no text": (Message(topic, b"\xff\xfe", written().value), "MissingKey"),
        "no value": (raw(None), "EmptyValue"),
        "no JSON": (raw(b'{"sensor_id": "sensor", "ts"'), "MalformedEvent"),
        "no UTF-8": (raw(b'{"sensor_id": "\xff", "ts": 1700000000000, "values": {}}'), "MalformedEvent"),
        "no object": (raw(b"[1, 2, 3]"), "MalformedEvent"),
        "no time": (raw(orjson.dumps({"sensor_id": sensor_id, "values": {"pressure": 1.0}})), "MalformedEvent"),
        "no values": (raw(orjson.dumps({"sensor_id": sensor_id, "ts": START_MS})), "MalformedEvent"),
        "values that are a list": (written(values=[1.0, 2.0]), "MalformedEvent"),
        "a value that is a text": (written(values={"pressure": "1.0"}), "BadReading"),
        "a value that is a truth": (written(values={"pressure": True}), "BadReading"),
        "a value that is a list": (written(values={"pressure": [1.0]}), "BadReading"),
        "a time without a zone": (written(ts="2026-03-01T12:00:00"), "BadReading"),
        "a time that is no time": (written(ts="yesterday"), "BadReading"),
        "a time of 1970": (written(ts=0), "BadReading"),
        "a time of 2100": (written(ts="2100-01-01T00:00:00Z"), "BadReading"),
        "another sensor than the key": (written(sensor="another"), "BadReading"),
        "a thousand and one features": (written(values={f"f{i}": 1.0 for i in range(1001)}), "BadReading"),
        "a megabyte of features": (
            written(values={f"feature {i:06}": 0.123456789 for i in range(32_000)}),
            "RecordTooLarge",
        ),
    }
