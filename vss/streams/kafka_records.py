"""librdkafka's messages to records."""

from __future__ import annotations

from typing import Any, cast

from confluent_kafka import KafkaError, Message

from vss.errors import ConfigError
from vss.schemas.envelope import Headers, Record, TopicPartition
from vss.streams.kafka_config import translate


def is_record(message: Message) -> bool:
    """Whether a message carries a record; what else the client hands out is passing, and it goes on by itself.

    Raises:
        ConfigError: The topic does not exist, or this user may not read it.
        StreamError: The client can do no more.
    """
    if (error := message.error()) is None:
        return True
    if error.code() != KafkaError._PARTITION_EOF:
        translated = translate(error, "reading")
        if isinstance(translated, ConfigError) or error.fatal():
            raise translated
    return False


def place_of(message: Message) -> TopicPartition:
    """The partition that a message is of."""
    return TopicPartition(message.topic() or "", number(message.partition()))


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
