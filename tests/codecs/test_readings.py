"""Readings: any bytes are a reading or one named error, and no record changes what its neighbours are."""

from __future__ import annotations

import json
import math
from collections.abc import Sequence

import numpy as np
import orjson
import pytest
from hypothesis import given
from hypothesis import strategies as st

from vss.codecs.headers import format_time, parse_time
from vss.codecs.readings import ReadingLimits, Readings, decode_readings
from vss.config import Limits
from vss.errors import BadReading, BadRecord, EmptyValue, MalformedEvent, MissingKey, RecordTooLarge

NOW = 1_764_000_000_000
KEY = b"pump-1"
LIMITS = ReadingLimits.of(Limits(max_features=4, max_reading_bytes=400))
GOOD = orjson.dumps({"sensor_id": "pump-1", "ts": NOW, "values": {"pressure": 1.5}})

NUMBERS = st.none() | st.integers(-(2**70), 2**70) | st.floats()
JSON = st.recursive(
    NUMBERS | st.booleans() | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3),
    max_leaves=6,
)
NEARLY = st.fixed_dictionaries(
    {},
    optional={
        "sensor_id": st.just("pump-1") | JSON,
        "ts": st.just(NOW) | st.sampled_from([format_time(NOW * 10**6), "now", 1.5, -1, 2**64, 10**30]) | JSON,
        "values": st.dictionaries(st.text(max_size=5), NUMBERS, max_size=6) | JSON,
    },
).map(lambda document: json.dumps(document).encode())
PIECES = st.lists(
    st.sampled_from(
        [b"{", b"}", b"[", b"]", b",", b":", b'"', b'"ts"', b'"values"', b"1", b"NaN", b" ", GOOD, b"\xff"]
    ),
    max_size=8,
).map(b"".join)
VALUES = st.none() | st.just(GOOD) | NEARLY | PIECES | st.binary(max_size=12)
KEYS = st.just(KEY) | st.sampled_from([None, b"", b"\xff", b"k" * 1025, b"pump-2"])


def decode(*values: bytes | None, keys: Sequence[bytes | None] | None = None, stamp_ms: int = NOW) -> Readings:
    return decode_readings(values, keys or [KEY] * len(values), [stamp_ms] * len(values), LIMITS)


def error(value: bytes | None, *, key: bytes | None = KEY, stamp_ms: int = NOW) -> tuple[type[BadRecord], str]:
    readings = decode(GOOD, value, GOOD, keys=[KEY, key, KEY], stamp_ms=stamp_ms)
    assert list(readings.errors) == [1]
    assert readings.good == [0, 2]
    return type(readings.errors[1]), str(readings.errors[1])


def reading(ts: object = NOW, **values: object) -> bytes:
    return json.dumps({"sensor_id": "pump-1", "ts": ts, "values": values}).encode()


@given(st.lists(st.tuples(VALUES, KEYS), max_size=8), st.integers(-(2**63), 2**63 - 1))
def test_a_record_says_the_same_alone_and_among_others(
    records: list[tuple[bytes | None, bytes | None]], now: int
) -> None:
    values, keys = [value for value, _ in records], [key for _, key in records]
    together = decode_readings(values, keys, [now] * len(records), LIMITS)
    assert sorted([*together.good, *together.errors]) == list(range(len(records)))
    for place, (value, key) in enumerate(records):
        alone = decode_readings([value], [key], [now], LIMITS)
        assert [type(e) for e in alone.errors.values()] == [type(e) for i, e in together.errors.items() if i == place]
        assert all(isinstance(e, BadRecord) and str(e).encode() for e in alone.errors.values())
        assert alone.ts_ms[0] == together.ts_ms[place]
        features = ("pressure", "", *alone.values[0])
        assert np.array_equal(alone.columns(features), together.columns(features)[place : place + 1], equal_nan=True)


@given(st.lists(st.dictionaries(st.sampled_from("abc"), NUMBERS), min_size=1, max_size=6))
def test_columns_hold_what_was_sent_and_nan_for_the_rest(sent: list[dict[str, float | None]]) -> None:
    readings = decode(*[reading(**values) for values in sent])
    columns = readings.columns("abcd")
    assert not readings.errors
    assert columns.dtype == np.float32
    assert columns.shape == (len(sent), 4)
    for row, values in zip(columns.tolist(), sent, strict=True):
        for found, feature in zip(row, "abcd", strict=True):
            value = values.get(feature)
            wanted = math.nan if value is None or not abs(value) < 3.4028235e38 else float(np.float32(value))
            assert found == wanted or (math.isnan(found) and math.isnan(wanted))


def test_values_that_join_into_other_records_stay_apart() -> None:
    split = [b'{"ts":1,"x":[{"y":1}', b'{"z":2}]}', GOOD + b"," + GOOD]
    readings = decode(GOOD, *split, GOOD)
    assert list(readings.errors) == [1, 2, 3]
    assert readings.good == [0, 4]


@given(st.integers(LIMITS.earliest_ms, NOW + LIMITS.max_ahead_ms), st.integers(0, 9), st.booleans())
def test_times_are_read_in_both_notations(ts_ms: int, digits: int, other: bool) -> None:
    text = format_time(ts_ms * 10**6)
    utc = text[:19] + (f".{text[20:-1]}000"[: digits + 1] if digits else "") + "Z"
    written = [reading(ts_ms), reading(utc), *([reading("2026-01-01 01:00:00+01:00")] if other else [])]
    for batch in (written, written[1:2]):
        found = decode(*batch).ts_ms.tolist()
        assert found[-2 if other and len(batch) > 1 else -1] == parse_time(utc) // 10**6
    assert decode(written[0]).ts_ms.tolist() == [ts_ms]


def test_a_time_may_have_more_digits_than_anybody_reads() -> None:
    ts = "2025-01-01T00:00:00.1239999999999999999999999Z"
    (found,) = decode(reading(ts)).ts_ms.tolist()
    assert found % 1000 == 123


@pytest.mark.parametrize(
    "ts",
    [
        "now",
        "NaT",
        "2026-01-01",
        "2026-02-30T00:00:00Z",
        "2026-01-01T00:00:00",
        "2026-01-01T24:00:01Z",
        "2026-01-01T00:00:00+01Z",
        "2026-01-01T00:00:00.Z",
        "2026-01-01T00:00:00.1+01Z",
        "2026-01-01T00:00:+1Z",
        "0000-01-01T00:00:00Z",
        "٢٠٢٦-01-01T00:00:00Z",
    ],
)
def test_what_is_no_time_is_said(ts: str) -> None:
    (at_once,) = decode(reading(ts)).errors.values()  # all alike, and so read at once
    assert "no RFC 3339 time" in str(at_once)
    kind, why = error(reading(ts))
    assert kind is BadReading
    assert "no RFC 3339 time" in why


@pytest.mark.parametrize(
    ("ts", "word"),
    [(True, "a boolean"), (1.5, "1.5"), ([1], "an array"), (0, "earliest_reading"), (NOW // 1000, "earliest_reading")],
)
def test_a_time_of_another_kind_is_refused(ts: object, word: str) -> None:
    kind, why = error(reading(ts))
    assert kind is BadReading
    assert word in why


def test_a_time_ahead_of_the_record_is_refused() -> None:
    ahead = NOW + LIMITS.max_ahead_ms
    assert not decode(reading(ahead)).errors
    assert error(reading(ahead + 1))[0] is BadReading
    assert not decode(reading(ahead + 1), stamp_ms=0).errors  # nothing to measure by
    assert decode(reading(10**15), stamp_ms=0).errors


def test_a_whole_float_is_a_time() -> None:
    assert decode(reading(float(NOW))).ts_ms.tolist() == [NOW]


@pytest.mark.parametrize(
    ("value", "word"), [("1.5", "a string '1.5'"), (True, "a boolean"), ([1], "an array"), ({"a": 1}, "an object")]
)
def test_a_value_that_is_no_number_is_refused_by_the_name_of_its_feature(value: object, word: str) -> None:
    kind, why = error(reading(pressure=1.0, flow=value))
    assert kind is BadReading
    assert "'flow'" in why
    assert word in why


def test_nan_as_python_writes_it_is_missing() -> None:
    readings = decode(b'{"ts":%d,"values":{"a":NaN,"b":-Infinity,"c":1}}' % NOW)
    assert not readings.errors
    assert np.array_equal(readings.columns("abc"), [[np.nan, np.nan, 1]], equal_nan=True)
    assert error(b'{"ts":NaN,"values":{}}')[0] is BadReading
    assert error(b"[" * 390 + b"NaN")[0] is MalformedEvent


def test_the_last_of_a_repeated_feature_counts() -> None:
    assert decode(b'{"ts":%d,"values":{"a":1,"a":2}}' % NOW).columns("a").tolist() == [[2.0]]


def test_the_key_names_the_sensor() -> None:
    assert not decode(b'{"ts":%d,"values":{}}' % NOW).errors
    kind, why = error(GOOD, key=b"pump-2")
    assert kind is BadReading
    assert "'pump-1'" in why
    assert "'pump-2'" in why
    assert error(b'{"sensor_id":1,"ts":%d,"values":{}}' % NOW)[0] is BadReading
    for key in (None, b"", b"\xff", b"k" * 1025):
        assert error(GOOD, key=key)[0] is MissingKey


def test_size_is_bounded() -> None:
    assert error(None)[0] is EmptyValue
    assert error(b"")[0] is EmptyValue
    kind, why = error(GOOD + b" " * 400)
    assert kind is RecordTooLarge
    assert "max_reading_bytes" in why
    kind, why = error(reading(a=1, b=2, c=3, d=4, e=5))
    assert kind is BadReading
    assert "5 features" in why


@pytest.mark.parametrize(
    "value",
    [
        b"1",
        b"null",
        b'"x"',
        b"[]",
        b"{",
        b"{}",
        b'{"ts":1764000000000}',
        b'{"values":{}}',
        b'{"ts":1764000000000,"values":[]}',
    ],
)
def test_what_is_no_reading_is_malformed(value: bytes) -> None:
    assert error(value)[0] is MalformedEvent


def test_nothing_is_read_from_an_empty_batch() -> None:
    readings = decode()
    assert readings.columns(("a", "b")).shape == (0, 2)
    assert not readings.good


def test_a_date_before_the_limit_is_the_settings_to_say() -> None:
    limits = ReadingLimits.of(Limits(earliest_reading="1960-01-01T00:00:00Z", max_ahead_ms=2**62))
    assert not decode_readings([reading(-1)], [KEY], [NOW], limits).errors
