"""Headers of frames and events: what is written is read back, and what does not fit is named."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from vss.codecs.headers import decode_frame_header, encode_frame_header, event_headers, format_time, parse_time
from vss.errors import BadHeader, MissingKey
from vss.schemas.envelope import Headers, Record
from vss.schemas.frame import FrameHeader

TEXT = st.text(st.characters(codec="utf-8"), min_size=1, max_size=60)
COUNT = st.integers(0, 2**63 - 1)
HEX = st.sampled_from("0123456789abcdef")
TRACES = st.tuples(*(st.text(HEX, min_size=n, max_size=n) for n in (2, 32, 16, 2))).map("-".join)
# Years 1 to 9999, in whole microseconds: what `ce_time` is written in.
TIMES = st.integers(-62_135_596_800_000_000, 253_402_300_799_999_999).map(lambda us: us * 1000)

HEADERS = st.builds(
    FrameHeader,
    camera_id=TEXT,
    id=st.none() | TEXT,
    source=st.none() | TEXT,
    content_type=st.none() | TEXT,
    captured_ns=st.none() | TIMES,
    epoch=st.none() | COUNT,
    seq=st.none() | COUNT,
    pts_ns=st.none() | st.integers(-(2**63), 2**63 - 1),
    width=st.none() | COUNT,
    height=st.none() | COUNT,
    model=st.none() | TEXT,
    traceparent=st.none() | TRACES,
)


def record(*headers: tuple[str, bytes | None], key: bytes | None = b"gate", timestamp_ms: int = 0) -> Record:
    return Record("vss.frames", 0, 0, key, b"value", headers, timestamp_ms)


@given(HEADERS)
def test_a_frame_header_survives_the_round_trip(header: FrameHeader) -> None:
    assert decode_frame_header(record(*encode_frame_header(header), key=header.camera_id.encode())) == header


ANY_HEADERS = st.lists(st.tuples(st.text(max_size=20), st.none() | st.binary(max_size=40)), max_size=8).map(tuple)


@given(ANY_HEADERS, st.binary())
def test_any_headers_give_a_header_or_a_named_refusal(headers: Headers, key: bytes) -> None:
    try:
        header = decode_frame_header(record(*headers, key=key))
    except (BadHeader, MissingKey):
        return
    assert header.camera_id.encode() == key


@given(TIMES)
def test_a_time_survives_the_round_trip(time_ns: int) -> None:
    assert parse_time(format_time(time_ns)) == time_ns


@pytest.mark.parametrize(
    ("text", "time_ns"),
    [
        ("1970-01-01T00:00:00Z", 0),
        ("1970-01-01T00:00:01.5Z", 1_500_000_000),
        ("1970-01-01t00:00:00.000000001z", 1),
        ("1970-01-01 01:00:00+01:00", 0),
        ("1969-12-31T23:59:59.25Z", -750_000_000),
        ("1970-01-01T00:00:00.1234567899999Z", 123_456_789),
    ],
)
def test_times_of_other_producers_are_read(text: str, time_ns: int) -> None:
    assert parse_time(text) == time_ns


@pytest.mark.parametrize(
    "text", ["", "yesterday", "1970-01-01", "1970-01-01T00:00:00", "1970-13-01T00:00:00Z", "1970-01-01T25:00:00Z",
             "1970-01-01T00:00:00+99:99", "١٩٧٠-01-01T00:00:00Z", "1970-01-01T00:00:00Z\n", "1" * 10_000],
)  # fmt: skip
def test_what_is_no_time_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match=r"."):
        parse_time(text)


def test_a_plain_image_with_a_key_is_enough() -> None:
    assert decode_frame_header(record(timestamp_ms=1500)) == FrameHeader(camera_id="gate", captured_ns=1_500_000_000)


def test_the_capture_time_wins_over_kafkas() -> None:
    assert decode_frame_header(record(("ce_time", b"1970-01-01T00:00:01Z"), timestamp_ms=9)).captured_ns == 10**9


@pytest.mark.parametrize("key", [None, b"", b"\xff", b"x" * 1025])
def test_without_a_key_that_is_a_name_the_camera_is_unknown(key: bytes | None) -> None:
    with pytest.raises(MissingKey):
        decode_frame_header(record(key=key))


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("vss_seq", b"-1"),
        ("vss_seq", b"1_000"),
        ("vss_seq", b" 7"),
        ("vss_seq", b"7.0"),
        ("vss_seq", "٧".encode()),
        ("vss_seq", b"9223372036854775808"),
        ("vss_width", b"1e3"),
        ("vss_pts_ns", b"-9223372036854775809"),
        ("ce_time", b"now"),
        ("ce_id", b"\xff"),
        ("ce_id", b"x" * 1025),
        ("datacontenttype", b"\xc3\x28"),
    ],
)
def test_a_header_that_does_not_fit_is_named(name: str, value: bytes) -> None:
    with pytest.raises(BadHeader, match=name):
        decode_frame_header(record((name, value)))


def test_of_a_repeated_header_the_last_counts_and_null_means_absent() -> None:
    header = decode_frame_header(record(("vss_seq", b"1"), ("vss_seq", b"2"), ("ce_id", None), ("vss_epoch", b"")))
    assert (header.seq, header.id, header.epoch) == (2, None, None)


def test_the_kafka_bindings_content_type_is_read_where_the_older_name_is_absent() -> None:
    assert decode_frame_header(record(("content-type", b"image/png"))).content_type == "image/png"
    both = decode_frame_header(record(("content-type", b"image/png"), ("datacontenttype", b"image/jpeg")))
    assert both.content_type == "image/jpeg"


@pytest.mark.parametrize("value", [b"", b"00-abc", b"\xff\xff", b"zz-" + b"0" * 32 + b"-" + b"0" * 16 + b"-00"])
def test_a_trace_context_that_does_not_parse_is_ignored(value: bytes) -> None:
    assert decode_frame_header(record(("traceparent", value))).traceparent is None


def test_an_events_headers_are_cloudevents_in_binary_mode() -> None:
    headers = event_headers(id="i", type="t", source="/s", time="now", traceparent="trace")
    assert dict(headers) == {
        "ce_specversion": b"1.0",
        "ce_id": b"i",
        "ce_type": b"t",
        "ce_source": b"/s",
        "ce_time": b"now",
        "content-type": b"application/json",
        "datacontenttype": b"application/json",
        "traceparent": b"trace",
    }
    assert "traceparent" not in dict(event_headers(id="i", type="t", source="/s", time="now", traceparent=None))
