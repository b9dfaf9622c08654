"""What a source of readings gives; the port itself is `vss.workers.ingest.source`."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TypeAlias

from vss.workers.ingest import source

MAX_SENSOR_ID_BYTES = 1024
"""A key that is longer is refused by those who read the topic."""


@dataclass(frozen=True, slots=True)
class Sample:
    """One reading as the source gave it.

    Attributes:
        ts_ms: When it was measured, milliseconds since the epoch.
        values: By feature; None where the source says that there is none.
    """

    sensor_id: str
    ts_ms: int
    values: dict[str, float | None]


@dataclass(frozen=True, slots=True)
class Unreadable:
    """A line, message or answer that is no reading.

    Attributes:
        why: With the line's number or the topic.
    """

    why: str


Batch: TypeAlias = Sequence[Sample | Unreadable]
"""What a stream gives at once, in its order; empty when it lives and has nothing new."""

Stream: TypeAlias = source.Stream[Batch]
Source: TypeAlias = source.Source[Batch]


def checked_id(text: str) -> str:
    """The id of a sensor.

    Raises:
        ValueError: It cannot be a key.
    """
    if not text or not text.isprintable() or len(text.encode(errors="surrogatepass")) > MAX_SENSOR_ID_BYTES:
        raise ValueError(f"{text[:40]!r} cannot be a sensor's id")
    return text
