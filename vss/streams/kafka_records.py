"""librdkafka's messages to records."""

from __future__ import annotations

from typing import Any, cast

from confluent_kafka import Message

from vss.schemas.envelope import Headers, Record


def record_of(message: Message) -> Record:
    """The record in a message that carries no error."""
    _, timestamp_ms = message.timestamp()
    return Record(
        topic=message.topic() or "",
        partition=number(message.partition()),
        offset=number(message.offset()),
        key=_as_bytes(message.key()),
        value=_as_bytes(message.value()),
        headers=_headers(message),
        timestamp_ms=max(0, timestamp_ms),
    )


def number(value: int | None) -> int:
    """A partition or offset; -1 where librdkafka has none."""
    return -1 if value is None else value


def _headers(message: Message) -> Headers:
    try:
        pairs = cast("list[tuple[str, bytes | None]] | None", message.headers())
    except (UnicodeDecodeError, SystemError):
        # Kafka wants names in UTF-8, yet takes any bytes. The client cannot show such headers; one record of that kind
        # must not end the worker.
        return ()
    return tuple(pairs) if pairs else ()


def _as_bytes(value: Any) -> bytes | None:
    return value.encode() if isinstance(value, str) else value
