"""Kafka headers to values and back: CloudEvents in binary mode (`ce_*`) and W3C `traceparent`.

The Kafka binding of CloudEvents 1.0 (section 3.2) maps `datacontenttype` to a header named `content-type`; older
producers write `datacontenttype`. Both are read, and both are written.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Final

from vss.errors import BadHeader, MissingKey
from vss.schemas.envelope import Headers, Record
from vss.schemas.frame import FRAME_TYPE, FrameHeader

_INTEGER_LIMIT: Final = 1 << 63
_TEXT_LIMIT_BYTES: Final = 1024
# version-traceid-parentid-flags, https://www.w3.org/TR/trace-context/#traceparent-header
_TRACEPARENT = re.compile(r"[0-9a-f]{2}-[0-9a-f]{32}-[0-9a-f]{16}-[0-9a-f]{2}")
# What `datetime` cannot say: nanoseconds. RFC 3339 allows any number of digits after the second.
_RFC3339 = re.compile(r"(\d{4}-\d\d-\d\d[Tt ]\d\d:\d\d:\d\d)(?:\.(\d{1,9})\d*)?([Zz]|[+-]\d\d:\d\d)", re.ASCII)


def format_time(time_ns: int) -> str:
    """RFC 3339 in UTC with microseconds.

    Args:
        time_ns: Nanoseconds since the epoch.
    """
    seconds, rest_ns = divmod(time_ns, 1_000_000_000)
    # Not strftime, which leaves out the zeros of early years.
    moment = datetime.fromtimestamp(seconds, UTC).replace(tzinfo=None).isoformat(timespec="seconds")
    return f"{moment}.{rest_ns // 1000:06d}Z"


def parse_time(text: str) -> int:
    """Nanoseconds since the epoch of an RFC 3339 time.

    Raises:
        ValueError: The text is no such time.
    """
    match = _RFC3339.fullmatch(text)
    if match is None:
        raise ValueError(f"not an RFC 3339 time: {text[:40]!r}")
    moment, fraction, zone = match.groups()
    whole = datetime.fromisoformat(moment.upper().replace(" ", "T") + ("+00:00" if zone in "Zz" else zone))
    return int(whole.timestamp()) * 1_000_000_000 + int((fraction or "0").ljust(9, "0"))


def encode_frame_header(header: FrameHeader) -> Headers:
    """Headers of a frame record."""
    pairs: list[tuple[str, bytes | None]] = [("ce_specversion", b"1.0"), ("ce_type", FRAME_TYPE.encode())]

    def put(name: str, value: object | None) -> None:
        if value is not None:
            pairs.append((name, str(value).encode()))

    put("ce_id", header.id)
    put("ce_source", header.source)
    put("ce_time", format_time(header.captured_ns) if header.captured_ns is not None else None)
    put("content-type", header.content_type)
    put("datacontenttype", header.content_type)
    put("vss_epoch", header.epoch)
    put("vss_seq", header.seq)
    put("vss_pts_ns", header.pts_ns)
    put("vss_width", header.width)
    put("vss_height", header.height)
    put("vss_model", header.model)
    put("traceparent", header.traceparent)
    return tuple(pairs)


def decode_frame_header(record: Record) -> FrameHeader:
    """What the key and headers of a frame record say. Unknown headers are ignored; of a repeated one the last counts.

    Raises:
        MissingKey: The record has no key, or one that is no text.
        BadHeader: A header we read has a value that does not fit; named in the message.
    """
    if not record.key:
        raise MissingKey("a frame needs its camera id as the key")
    try:
        camera_id = record.key.decode()
    except UnicodeDecodeError as error:
        raise MissingKey("the key is no UTF-8 text") from error
    if len(record.key) > _TEXT_LIMIT_BYTES:
        raise MissingKey(f"the key is longer than {_TEXT_LIMIT_BYTES} bytes")
    values = dict(record.headers)
    time = _text(values, "ce_time")
    try:
        captured_ns = parse_time(time) if time is not None else None
    except ValueError as error:
        raise BadHeader(f"header ce_time: {error}") from error
    if captured_ns is None and record.timestamp_ms > 0:
        captured_ns = record.timestamp_ms * 1_000_000
    return FrameHeader(
        camera_id=camera_id,
        id=_text(values, "ce_id"),
        source=_text(values, "ce_source"),
        content_type=_text(values, "datacontenttype") or _text(values, "content-type"),
        captured_ns=captured_ns,
        epoch=_integer(values, "vss_epoch"),
        seq=_integer(values, "vss_seq"),
        pts_ns=_integer(values, "vss_pts_ns", lowest=-_INTEGER_LIMIT),
        width=_integer(values, "vss_width"),
        height=_integer(values, "vss_height"),
        model=_text(values, "vss_model"),
        traceparent=_traceparent(values),
    )


def asked_model(headers: Headers) -> str | None:
    """The model that a record asks for by `vss_model`; None for none.

    Raises:
        BadHeader: The header's value is no text that fits.
    """
    return _text(dict(headers), "vss_model") if headers else None


def traceparent_of(headers: Mapping[str, bytes | None]) -> str | None:
    """The W3C trace context in a record's headers; None where there is none that parses."""
    return _traceparent(headers)


def event_headers(*, id: str, type: str, source: str, time: str, traceparent: str | None) -> Headers:  # noqa: A002 - CloudEvents' names
    """Headers of an event in JSON."""
    pairs: list[tuple[str, bytes | None]] = [
        ("ce_specversion", b"1.0"),
        ("ce_id", id.encode()),
        ("ce_type", type.encode()),
        ("ce_source", source.encode()),
        ("ce_time", time.encode()),
        ("content-type", b"application/json"),
        ("datacontenttype", b"application/json"),
    ]
    if traceparent is not None:
        pairs.append(("traceparent", traceparent.encode()))
    return tuple(pairs)


def _text(values: dict[str, bytes | None], name: str) -> str | None:
    value = values.get(name)
    if not value:
        return None
    if len(value) > _TEXT_LIMIT_BYTES:
        raise BadHeader(f"header {name} is longer than {_TEXT_LIMIT_BYTES} bytes")
    try:
        return value.decode()
    except UnicodeDecodeError as error:
        raise BadHeader(f"header {name} is no UTF-8 text") from error


def _integer(values: dict[str, bytes | None], name: str, *, lowest: int = 0) -> int | None:
    text = _text(values, name)
    if text is None:
        return None
    # int() would also take '1_000', ' 7' and digits of other scripts.
    if not re.fullmatch(r"-?[0-9]{1,19}", text) or not lowest <= int(text) < _INTEGER_LIMIT:
        raise BadHeader(f"header {name} is no integer in range: {text[:40]!r}")
    return int(text)


def _traceparent(values: Mapping[str, bytes | None]) -> str | None:
    # The specification asks to ignore a trace context that does not parse, not to refuse the message.
    value = values.get("traceparent") or b""
    text = value.decode("ascii", "replace")
    return text if _TRACEPARENT.fullmatch(text) else None
