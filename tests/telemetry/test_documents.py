"""What the documents say of readings and of events about sensors is what travels."""

from __future__ import annotations

import json
from typing import Any

import jsonschema
import pytest

from tests.telemetry.makers import anomaly, forecast, span
from vss.codecs.events import encode_event
from vss.schemas.asyncapi import asyncapi_document
from vss.schemas.documents import payload_schemas
from vss.schemas.events import SourceCoordinates
from vss.testing import make_bad_readings, make_reading

SOURCE = SourceCoordinates("vss.telemetry", 0, 9)


@pytest.mark.parametrize(
    ("topic", "value"),
    [
        ("telemetry", make_reading().value),
        ("telemetry", make_reading(ts="2026-03-01T12:00:00Z", values={"pressure": None, "flow": 1}).value),
        ("anomalies", encode_event(anomaly(span(0, 9), SOURCE))),
        ("anomalies", encode_event(anomaly(span(0, 9), SOURCE, severity="none"))),
        ("forecasts", encode_event(forecast(span(0, 9), SOURCE))),
    ],
)
def test_what_travels_fits_its_schema(topic: str, value: bytes) -> None:
    schema = payload_schemas()[topic]
    jsonschema.Draft202012Validator.check_schema(schema)
    jsonschema.validate(json.loads(value), schema)


@pytest.mark.parametrize("what", ["no time", "no values", "values that are a list", "a value that is a text"])
def test_a_reading_of_another_shape_does_not(what: str) -> None:
    message, _ = make_bad_readings()[what]
    with pytest.raises(jsonschema.ValidationError):
        jsonschema.validate(json.loads(message.value or b""), payload_schemas()["telemetry"])


def headers_of(topic: str) -> Any:
    return asyncapi_document()["components"]["schemas"][f"{topic}.headers"]


def test_a_reading_needs_no_header_and_an_event_about_a_sensor_has_all() -> None:
    assert headers_of("telemetry")["required"] == []
    assert headers_of("telemetry")["properties"].keys() >= {"ce_id", "vss_model", "traceparent"}
    for topic, type_ in (("anomalies", "vss.anomaly.v1"), ("forecasts", "vss.forecast.v1")):
        found = headers_of(topic)
        assert {"ce_id", "ce_source", "ce_time"} <= set(found["required"])
        assert found["properties"]["ce_type"]["const"] == type_


def test_severities_are_named() -> None:
    assert payload_schemas()["anomalies"]["properties"]["severity"]["enum"] == [
        "none",
        "low",
        "medium",
        "high",
        "critical",
    ]
