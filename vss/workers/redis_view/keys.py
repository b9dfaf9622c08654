"""The layout of the view in Redis; `docs/redis.md` describes it for readers in other languages.

Every entry is a hash, so that the value and the coordinates it is compared by change and expire as one:

    {prefix}latest:{topic}:{key}   the newest result of a camera or sensor in a result topic
    {prefix}result:{event id}      one result

    value         the event's JSON, byte for byte as it stands in Kafka
    topic         the topic it was read from
    partition     its partition
    offset        its offset
    timestamp_ms  Kafka's timestamp of the record, milliseconds since the epoch
"""

from __future__ import annotations

from dataclasses import dataclass

FIELDS = ("value", "topic", "partition", "offset", "timestamp_ms")


@dataclass(frozen=True, slots=True)
class ViewKeys:
    """Names of keys.

    Attributes:
        prefix: `redis.key_prefix`.
    """

    prefix: str

    def latest(self, topic: str, key: str) -> str:
        """The newest result of a camera or sensor.

        Args:
            topic: The result topic's full name.
            key: Of the event: a camera or sensor id.
        """
        return f"{self.prefix}latest:{topic}:{key}"

    def result(self, event_id: str) -> str:
        """One result."""
        return f"{self.prefix}result:{event_id}"
