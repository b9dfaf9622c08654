"""Events to JSON and back, and the identity of an outcome."""

from __future__ import annotations

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from vss.codecs.event_id import event_id
from vss.codecs.events import decode_event, encode_event
from vss.errors import EmptyValue, MalformedEvent
from vss.schemas.envelope import Record, TopicPartition
from vss.schemas.events import DetectedObject, DetectionEvent, ShedNote, SourceCoordinates

NUMBER = st.floats(allow_nan=False, allow_infinity=False)
TEXT = st.text(st.characters(codec="utf-8"), max_size=20)
COUNT = st.integers(0, 2**53)
OBJECTS = st.builds(
    DetectedObject,
    class_=TEXT,
    class_id=COUNT,
    confidence=NUMBER,
    bbox=st.tuples(NUMBER, NUMBER, NUMBER, NUMBER),
    center=st.tuples(NUMBER, NUMBER),
)
EVENTS = st.builds(
    DetectionEvent,
    id=TEXT,
    camera_id=TEXT,
    captured_at=st.none() | TEXT,
    epoch=st.none() | COUNT,
    seq=st.none() | COUNT,
    width=COUNT,
    height=COUNT,
    objects=st.lists(OBJECTS, max_size=4).map(tuple),
    total_objects=COUNT,
    model_name=TEXT,
    model_version=TEXT,
    inference_time=NUMBER,
    processing_time=NUMBER,
    timestamp=TEXT,
    source=st.builds(SourceCoordinates, topic=TEXT, partition=COUNT, offset=COUNT),
)
NOTES = st.builds(
    ShedNote,
    id=TEXT,
    key=TEXT,
    group=TEXT,
    reason=TEXT,
    age_ms=NUMBER,
    timestamp=TEXT,
    source=st.builds(SourceCoordinates, topic=TEXT, partition=COUNT, offset=COUNT),
)


@given(EVENTS)
def test_a_detection_survives_the_round_trip(event: DetectionEvent) -> None:
    assert decode_event(DetectionEvent, encode_event(event)) == event


@given(NOTES)
def test_a_shed_note_survives_the_round_trip(note: ShedNote) -> None:
    assert decode_event(ShedNote, encode_event(note)) == note


EVENT = DetectionEvent(
    id="i",
    camera_id="gate",
    captured_at=None,
    epoch=None,
    seq=3,
    width=640,
    height=480,
    objects=(DetectedObject(class_="car", class_id=2, confidence=0.5, bbox=(1, 2, 3, 4), center=(2, 3)),),
    total_objects=1,
    model_name="m",
    model_version="1",
    inference_time=0.1,
    processing_time=0.2,
    timestamp="2024-01-01T00:00:00Z",
    source=SourceCoordinates("vss.frames", 1, 2),
)


def test_the_json_has_the_names_that_users_know() -> None:
    value = json.loads(encode_event(EVENT))
    assert value["objects"] == [
        {"class": "car", "class_id": 2, "confidence": 0.5, "bbox": [1, 2, 3, 4], "center": [2, 3]}
    ]
    assert value["total_objects"] == 1
    assert value["captured_at"] is None
    assert value["source"] == {"topic": "vss.frames", "partition": 1, "offset": 2}


@pytest.mark.parametrize("value", [None, b""])
def test_no_value_is_no_event(value: bytes | None) -> None:
    with pytest.raises(EmptyValue):
        decode_event(DetectionEvent, value)


@pytest.mark.parametrize("value", [b"{", b"null", b"[]", b"{}", b"\xff", b'{"id": 1}'])
def test_what_is_no_event_is_refused(value: bytes) -> None:
    with pytest.raises(MalformedEvent):
        decode_event(DetectionEvent, value)


def test_the_field_that_does_not_fit_is_named_and_not_its_value() -> None:
    value = json.loads(encode_event(EVENT))
    value["objects"][0]["bbox"] = ["secret", 2, 3, 4]
    with pytest.raises(MalformedEvent, match=r"objects\.0\.bbox\.0") as raised:
        decode_event(DetectionEvent, json.dumps(value).encode())
    assert "secret" not in str(raised.value)


RECORD = Record("vss.frames", 1, 2, b"gate", b"value", (("ce_id", b"17-3"),))


def test_the_same_input_model_and_version_give_the_same_id() -> None:
    other_value = RECORD._replace(value=b"other", timestamp_ms=5)
    assert event_id(RECORD, "m", "1") == event_id(other_value, "m", "1")
    assert len(event_id(RECORD, "m", "1")) == 32


def test_whatever_names_the_outcome_changes_its_id() -> None:
    ids = {
        event_id(RECORD, "m", "1"),
        event_id(RECORD, "m", "2"),
        event_id(RECORD, "n", "1"),
        event_id(RECORD._replace(topic_partition=TopicPartition("other", 1)), "m", "1"),
        event_id(RECORD._replace(topic_partition=TopicPartition("vss.frames", 2)), "m", "1"),
        event_id(RECORD._replace(offset=3), "m", "1"),
        event_id(RECORD._replace(headers=(("ce_id", b"18-3"),)), "m", "1"),
        event_id(RECORD._replace(headers=()), "m", "1"),
        event_id(RECORD._replace(topic_partition=TopicPartition("vss.frames", 12)), "m", "1"),
        event_id(RECORD._replace(offset=22), "m", "1"),
    }
    assert len(ids) == 10
