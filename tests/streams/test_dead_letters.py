"""A dead letter is the record as it came, and Kafka Connect's names for the reason."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from vss.errors import BadHeader, ImageTooLarge
from vss.schemas.envelope import Headers, Message, Record
from vss.schemas.events import SourceCoordinates
from vss.streams.dead_letters import Reason, dead_letter, reason_of

NAMES = st.text(min_size=1, max_size=20).filter(lambda name: not name.startswith("__connect.errors."))
HEADERS = st.lists(st.tuples(NAMES, st.none() | st.binary(max_size=30)), max_size=6).map(tuple)


def letter_of(record: Record, error: Exception | None = None) -> Message:
    error = error or ImageTooLarge("100 megapixels")
    return dead_letter(record, error, topic="dlq", group="g", stage="detect")


def as_read(message: Message) -> Record:
    return Record(message.topic, 0, 77, message.key, message.value, message.headers)


@given(key=st.none() | st.binary(max_size=30), value=st.none() | st.binary(max_size=300), headers=HEADERS)
def test_key_value_and_headers_are_untouched(key: bytes | None, value: bytes | None, headers: Headers) -> None:
    message = letter_of(Record("in", 3, 12, key, value, headers))
    assert (message.topic, message.key, message.value) == ("dlq", key, value)
    assert message.headers[: len(headers)] == headers
    assert all(name.startswith("__connect.errors.") for name, _ in message.headers[len(headers) :])


def test_the_reason_stands_in_the_names_of_kafka_connect() -> None:
    try:
        raise ImageTooLarge("100 megapixels")
    except ImageTooLarge as error:
        headers = dict(letter_of(Record("in", 3, 12, b"k", b"v"), error).headers)
    stack = headers.pop("__connect.errors.exception.stacktrace") or b""
    assert b"ImageTooLarge: 100 megapixels" in stack
    assert b"test_the_reason_stands" in stack
    assert headers == {
        "__connect.errors.topic": b"in",
        "__connect.errors.partition": b"3",
        "__connect.errors.offset": b"12",
        "__connect.errors.connector.name": b"g",
        "__connect.errors.stage": b"detect",
        "__connect.errors.exception.class.name": b"vss.errors.ImageTooLarge",
        "__connect.errors.exception.message": b"100 megapixels",
    }


def test_the_reason_can_be_read_back() -> None:
    assert reason_of(as_read(letter_of(Record("in", 3, 12, b"k", b"v")))) == Reason(
        SourceCoordinates("in", 3, 12), "g", "detect", "ImageTooLarge", "100 megapixels"
    )


def test_of_a_redriven_letter_the_newest_reason_counts() -> None:
    first = letter_of(Record("in", 3, 12, b"k", b"v", (("a", b"1"),)))
    second = letter_of(Record("in", 0, 99, first.key, first.value, first.headers), ValueError("again"))
    assert reason_of(as_read(second)).source.offset == 99
    assert reason_of(as_read(second)).error == "ValueError"
    assert [name for name, _ in second.headers].count("__connect.errors.offset") == 1
    assert ("a", b"1") in second.headers


def test_a_message_without_end_is_cut() -> None:
    headers = dict(letter_of(Record("in", 0, 0, b"k", b"v"), ValueError("x" * 1_000_000)).headers)
    assert sum(len(value or b"") for value in headers.values()) < 10_000


def test_a_message_that_is_no_text_does_no_harm() -> None:
    letter_of(Record("in", 0, 0, b"k", b"v"), ValueError("\ud800"))


@pytest.mark.parametrize(
    ("value", "headers", "left_out"),
    [
        (b"x" * (16 << 20), (("a", b"1"),), 16 << 20),
        (b"x" * 100, (("a", b"y" * (16 << 20)),), (16 << 20) + 101),
    ],
    ids=["value", "headers"],
)
def test_what_would_not_fit_the_topic_is_left_out_and_counted(value: bytes, headers: Headers, left_out: int) -> None:
    message = letter_of(Record("in", 3, 12, b"k", value, headers))
    size_bytes = len(message.value or b"") + sum(len(name) + len(text or b"") for name, text in message.headers)
    assert size_bytes < 16 << 20
    assert dict(message.headers)["vss_left_out_bytes"] == str(left_out).encode()
    assert reason_of(as_read(message)).source == SourceCoordinates("in", 3, 12)


@pytest.mark.parametrize(
    "headers",
    [(), (("__connect.errors.topic", b"in"),), (("__connect.errors.topic", None), ("__connect.errors.offset", b"x"))],
)
def test_what_is_no_dead_letter_is_refused(headers: Headers) -> None:
    with pytest.raises(BadHeader, match="no dead letter"):
        reason_of(Record("t", 0, 0, b"k", b"v", headers))
