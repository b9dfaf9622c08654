"""librdkafka's messages to records."""

from __future__ import annotations

from collections.abc import Callable, Collection, Sequence
from functools import partial
from typing import Any, Final, cast

from confluent_kafka import KafkaError, Message

from vss.errors import ConfigError
from vss.schemas.envelope import Headers, Record, TopicPartition
from vss.streams.kafka_config import translate

# What `Record._make` does, without a call in Python.
_NEW: Final[Callable[[tuple[Any, ...]], Record]] = partial(tuple.__new__, Record)
_Pairs = list[tuple[str, bytes | None]]


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
    place = place_of(message)
    [record] = records_of([message], [place])
    return record


def records_of(messages: Sequence[Message], held: Collection[TopicPartition]) -> list[Record]:
    """The records in messages of partitions that are held; those of a partition share its object.

    Field by field, for a loop that runs in C costs a third of one that does not.

    Raises:
        ConfigError: The topic does not exist, or this user may not read it.
        StreamError: The client can do no more.
    """
    if len([message for message in messages if message.error() is None]) < len(messages):
        messages = [message for message in messages if is_record(message)]
    shared: dict[tuple[str | None, int | None], TopicPartition] = {place: place for place in held}
    places = [shared.get((message.topic(), message.partition())) for message in messages]
    if not all(places):
        messages = [message for message, place in zip(messages, places, strict=True) if place is not None]
        places = [place for place in places if place is not None]
    fields = zip(
        places,
        [message.offset() for message in messages],
        [message.key() for message in messages],
        [message.value() for message in messages],
        _headers(messages),
        [stamp_ms if stamp_ms > 0 else 0 for _, stamp_ms in [message.timestamp() for message in messages]],
        strict=True,
    )
    return list(map(_NEW, fields))


def number(value: int | None) -> int:
    """A partition or offset; -1 where librdkafka has none."""
    return -1 if value is None else value


def _headers(messages: Sequence[Message]) -> list[Headers]:
    try:
        found = cast("list[_Pairs | None]", [message.headers() for message in messages])
    except (UnicodeDecodeError, SystemError):
        found = [_shown_headers(message) for message in messages]
    return [tuple(pairs) if pairs else () for pairs in found] if any(found) else [()] * len(found)


def _shown_headers(message: Message) -> _Pairs | None:
    try:
        return cast("_Pairs | None", message.headers())
    except (UnicodeDecodeError, SystemError):
        # Kafka wants names in UTF-8, yet takes any bytes. The client cannot show such headers; one record of that kind
        # must not end the worker.
        return None
