"""Reads the view: the latest result of a camera or sensor, a result by its id.

with ResultView.connect(settings.redis, topic_prefix="vss.") as view:
    newest = view.latest("gate")
    if newest is not None:
        print(newest.event().total_objects)
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from types import TracebackType
from typing import Any, TypeVar

import redis

from vss.codecs.events import decode_event
from vss.config import RedisSettings
from vss.schemas.events import DetectionEvent
from vss.schemas.topics import DETECTIONS, Topic
from vss.workers.redis_view.keys import FIELDS, ViewKeys
from vss.workers.redis_view.link import connect, translated

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Seen:
    """A result in the view.

    Attributes:
        value: The event's JSON as it stands in Kafka.
        topic: Where it was read.
        partition: Where it was read.
        offset: Where it was read.
        timestamp_ms: Kafka's timestamp of it, milliseconds since the epoch.
    """

    value: bytes
    topic: str
    partition: int
    offset: int
    timestamp_ms: int

    def event(self) -> DetectionEvent:
        """The detection event.

        Raises:
            MalformedEvent: It is another event; read it with `as_`.
        """
        return self.as_(DetectionEvent)

    def as_(self, schema: type[T]) -> T:
        """The event of a schema.

        Raises:
            MalformedEvent: It is another event.
        """
        return decode_event(schema, self.value)


class ResultView:
    """Reads what `vss worker cache` writes. Thread-safe.

    Every method raises `CacheUnavailable` when Redis does not answer.

    Args:
        client: Connected to Redis; answers in bytes.
        key_prefix: `redis.key_prefix`.
        topic_prefix: `kafka.topic_prefix`.
    """

    def __init__(self, client: redis.Redis, *, key_prefix: str = "vss:", topic_prefix: str = "vss.") -> None:
        self._client = client
        self._keys = ViewKeys(key_prefix)
        self._topic_prefix = topic_prefix

    @classmethod
    def connect(cls, settings: RedisSettings, *, topic_prefix: str = "vss.") -> ResultView:
        """A view with a connection of its own.

        Raises:
            ConfigError: The URL is none.
        """
        return cls(connect(settings), key_prefix=settings.key_prefix, topic_prefix=topic_prefix)

    def __enter__(self) -> ResultView:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self.close()

    def latest(self, key: str, topic: Topic = DETECTIONS) -> Seen | None:
        """The newest result of a camera or sensor; None when there is none that has not expired."""
        return self._read(self._keys.latest(topic.name(self._topic_prefix), key))

    def result(self, event_id: str) -> Seen | None:
        """The result with that `id`; None when there is none that has not expired."""
        return self._read(self._keys.result(event_id))

    def keys(self, topic: Topic = DETECTIONS) -> list[str]:
        """The cameras or sensors that have a latest result. Walks over all of Redis: for people and start-ups."""
        start = self._keys.latest(topic.name(self._topic_prefix), "")
        pattern = "".join(f"\\{c}" if c in "*?[]\\^" else c for c in start) + "*"
        with translated(self._client):
            found = {key.decode() for key in self._client.scan_iter(match=pattern, count=1000)}
        return sorted(key.removeprefix(start) for key in found)

    def close(self) -> None:
        """Disconnects."""
        self._client.close()

    def _read(self, key: str) -> Seen | None:
        with translated(self._client):
            values: Sequence[Any] = self._client.hmget(key, FIELDS)
        if values[0] is None:
            return None
        value, topic, partition, offset, timestamp_ms = values
        return Seen(value, topic.decode(), int(partition), int(offset), int(timestamp_ms))
