"""A reading to the value and headers of its record; `vss.codecs.readings` reads them."""

from __future__ import annotations

import orjson

from vss.codecs.headers import format_time
from vss.schemas.envelope import Headers
from vss.schemas.reading import READING_TYPE, Reading

_TYPE = READING_TYPE.encode()


def encode_reading(reading: Reading) -> bytes:
    """JSON of a reading, UTF-8; NaN and infinite values become null."""
    return orjson.dumps(reading)


def reading_headers(sensor_id: str, ts_ms: int, *, epoch: int, seq: int, traceparent: str) -> Headers:
    """CloudEvents' headers of a reading, in binary mode.

    Args:
        sensor_id: The record's key.
        ts_ms: When it was measured, milliseconds since the epoch.
        epoch: Start of the producer's run, milliseconds since the epoch.
        seq: Counts the producer's readings from 0.
        traceparent: W3C trace context.
    """
    return (
        ("ce_specversion", b"1.0"),
        ("ce_type", _TYPE),
        ("ce_id", f"{epoch}-{seq}".encode()),
        ("ce_source", f"/sensors/{sensor_id}".encode()),
        ("ce_time", format_time(ts_ms * 1_000_000).encode()),
        ("content-type", b"application/json"),
        ("datacontenttype", b"application/json"),
        ("vss_epoch", str(epoch).encode()),
        ("vss_seq", str(seq).encode()),
        ("traceparent", traceparent.encode()),
    )
