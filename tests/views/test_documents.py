from __future__ import annotations

import dataclasses
import json
from typing import Any

import jsonschema
import pytest
from click.testing import CliRunner

from tests.views.makers import detection, event_message, shed_message
from vss.cli.main import cli
from vss.codecs.events import encode_event
from vss.codecs.headers import encode_frame_header
from vss.config import KafkaSettings
from vss.errors import ConfigError, UndecodableImage
from vss.schemas.asyncapi import asyncapi_document
from vss.schemas.documents import json_schema, payload_schemas
from vss.schemas.envelope import Headers, Record
from vss.schemas.events import DETECTION_TYPE, SHED_TYPE, DetectionEvent, ShedNote, SourceCoordinates
from vss.schemas.frame import FrameHeader
from vss.schemas.headers import DEAD_LETTER_HEADERS, FRAME_HEADERS, Header, event_headers_of, headers_schema
from vss.schemas.topics import CATALOGUE
from vss.streams.dead_letters import PREFIX, dead_letter

SOURCE = SourceCoordinates("vss.frames", 1, 2)
KAFKA = KafkaSettings()
SHED = shed_message(KAFKA, SOURCE, group="day")
TRACE = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"
FULL_FRAME = FrameHeader(
    camera_id="gate", id="a", source="/cameras/gate", content_type="image/jpeg", captured_ns=10**18, epoch=1, seq=2,
    pts_ns=-3, width=4, height=5, model="m", traceparent=TRACE,
)  # fmt: skip


def texts(headers: Headers) -> dict[str, str]:
    return {name: (value or b"").decode() for name, value in headers}


def without_what_may_be_missing() -> DetectionEvent:
    event = detection(3)
    return dataclasses.replace(event, captured_at=None, epoch=None, seq=None, objects=(), total_objects=0)


@pytest.mark.parametrize(
    ("topic", "value"),
    [
        ("detections", encode_event(detection(1, source=SOURCE))),
        ("detections", encode_event(without_what_may_be_missing())),
        ("shed", SHED.value),
    ],
)
def test_what_the_code_writes_fits_the_schema(topic: str, value: bytes) -> None:
    schema = payload_schemas()[topic]
    jsonschema.Draft202012Validator.check_schema(schema)
    jsonschema.validate(json.loads(value), schema)


@pytest.mark.parametrize(
    ("name", "wrong"),
    [("confidence", "0.5"), ("bbox", [1, 2, 3]), ("class_id", None), ("class", 3), ("center", [1, 2, 3])],
)
def test_an_object_that_does_not_fit_is_refused(name: str, wrong: object) -> None:
    event = json.loads(encode_event(detection(1)))
    event["objects"][0][name] = wrong
    with pytest.raises(jsonschema.ValidationError):
        jsonschema.validate(event, json_schema(DetectionEvent))


# What is new in an event has a default, so that the events of before can still be read.
FIRST_FIELDS = [field.name for field in dataclasses.fields(DetectionEvent) if field.default is dataclasses.MISSING]


@pytest.mark.parametrize("name", FIRST_FIELDS)
def test_every_field_of_an_event_is_required(name: str) -> None:
    event = json.loads(encode_event(detection(1)))
    del event[name]
    with pytest.raises(jsonschema.ValidationError):
        jsonschema.validate(event, json_schema(DetectionEvent))


def test_a_later_version_may_add_fields() -> None:
    event = json.loads(encode_event(detection(1)))
    jsonschema.validate(event | {"new": 1}, json_schema(DetectionEvent))


def test_the_words_of_the_docstrings_stand_at_the_fields() -> None:
    schema = json_schema(DetectionEvent)
    assert schema["description"] == "What a detector found in one frame; a frame without objects still yields an event."
    assert schema["properties"]["inference_time"]["description"] == "Seconds the model took for this frame."
    assert schema["$defs"]["DetectedObject"]["properties"]["class"]["description"] == "`class` in JSON."


HEADERS: list[tuple[tuple[Header, ...], Headers]] = [
    (FRAME_HEADERS, encode_frame_header(FULL_FRAME)),
    (event_headers_of(DETECTION_TYPE), event_message(KAFKA, detection(1), group="day").headers),
    (event_headers_of(SHED_TYPE), SHED.headers),
]


@pytest.mark.parametrize(("described", "written"), HEADERS, ids=["frame", "detection", "shed"])
def test_the_headers_the_code_writes_are_those_described(described: tuple[Header, ...], written: Headers) -> None:
    jsonschema.validate(texts(written), headers_schema(described))
    missing = {header.name for header in described} - texts(written).keys()
    assert texts(written).keys() <= {header.name for header in described}
    assert missing <= {"traceparent"}


def test_a_dead_letters_headers_are_those_described() -> None:
    record = Record("vss.frames", 0, 1, b"gate", b"x", (("ce_id", b"kept"),))
    letter = dead_letter(record, UndecodableImage("broken"), topic="vss.dlq", group="day", stage="detect")
    written = texts(letter.headers)
    jsonschema.validate(written, headers_schema(DEAD_LETTER_HEADERS))
    assert {name for name in written if name.startswith(PREFIX)} == {header.name for header in DEAD_LETTER_HEADERS}


def references(node: Any) -> list[str]:
    if isinstance(node, dict):
        own = [node["$ref"]] if isinstance(node.get("$ref"), str) else []
        return own + [ref for value in node.values() for ref in references(value)]
    return [ref for value in node for ref in references(value)] if isinstance(node, list) else []


def resolve(document: Any, reference: str) -> Any:
    node = document
    for part in reference.removeprefix("#/").split("/"):
        node = node[part]
    return node


def test_every_topic_of_the_catalogue_is_in_the_asyncapi_document() -> None:
    document = asyncapi_document("site1.")
    assert document["asyncapi"] == "3.0.0"
    assert {name: channel["address"] for name, channel in document["channels"].items()} == {
        topic.short: topic.name("site1.") for topic in CATALOGUE
    }
    for topic in CATALOGUE:
        channel = document["channels"][topic.short]
        kinds = {resolve(document, message["$ref"])["contentType"] for message in channel["messages"].values()}
        assert kinds == set(topic.content_types)
        assert any(o["channel"]["$ref"] == f"#/channels/{topic.short}" for o in document["operations"].values())


def test_every_reference_of_the_asyncapi_document_leads_somewhere() -> None:
    document = asyncapi_document()
    found = references(document)
    assert len(found) > 20
    for reference in found:
        assert resolve(document, reference)


def test_events_fit_the_schemas_of_the_asyncapi_document() -> None:
    document = asyncapi_document()
    for name, event in (("DetectionEvent", detection(1)), ("ShedNote", json.loads(SHED.value or b""))):
        value = json.loads(encode_event(event)) if isinstance(event, DetectionEvent) else event
        # As draft 7, which AsyncAPI's own schemas are.
        jsonschema.Draft7Validator({**document, "$ref": f"#/components/schemas/{name}"}).validate(value)
        with pytest.raises(jsonschema.ValidationError):
            jsonschema.Draft7Validator({**document, "$ref": f"#/components/schemas/{name}"}).validate({})


def test_the_command_prints_what_the_code_says() -> None:
    def run(*arguments: str) -> Any:
        result = CliRunner().invoke(cli, ["schemas", *arguments])
        assert result.exit_code == 0
        return json.loads(result.stdout)

    assert run() == payload_schemas()
    assert run("shed") == json_schema(ShedNote)
    assert run("asyncapi", "--topic-prefix", "a.") == asyncapi_document("a.")
    refused = CliRunner().invoke(cli, ["schemas", "frames"])
    assert isinstance(refused.exception, ConfigError)
