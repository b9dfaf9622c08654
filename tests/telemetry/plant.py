"""A plant of sensors, one of which breaks at a known moment, and what a worker must say of it."""

from __future__ import annotations

import random
from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import orjson

from vss.schemas.envelope import Message, Record
from vss.testing import make_reading

WINDOW = 4
BROKEN = "pump-3"
THRESHOLD = 1.0


@dataclass(frozen=True)
class Expected:
    """What an event must say."""

    sensor: str
    first_offset: int
    score: float


def measured(seqs: Sequence[int], *, sensors: int = 8, breaks_at: int, seed: int, topic: str) -> list[Message]:
    """Readings around zero; those of one sensor are far from it after the moment it breaks."""
    rng = random.Random(seed)
    messages = []
    for seq in seqs:
        for sensor in range(sensors):
            name = f"pump-{sensor}"
            off = 9.0 if name == BROKEN and seq >= breaks_at else 0.0
            values = {"pressure": off + rng.uniform(-0.5, 0.5), "flow": rng.uniform(-0.5, 0.5)}
            messages.append(make_reading(name, seq, values=values, topic=topic))
    return messages


def expected(readings: Sequence[Record]) -> dict[tuple[int, int], Expected]:
    """By the plainest of rules: each reading from a sensor's fourth on is scored with the three before it.

    Args:
        readings: Of the topic, in the order of each partition; all in order of time.
    """
    kept: dict[tuple[int, str], list[tuple[int, list[float]]]] = defaultdict(list)
    found: dict[tuple[int, int], Expected] = {}
    for record in readings:
        document = orjson.loads(record.value or b"")
        name, values = document["sensor_id"], document["values"]
        window = kept[record.partition, name]
        window.append((record.offset, [values["pressure"], values["flow"]]))
        if len(window) >= WINDOW:
            newest = window[-WINDOW:]
            score = float(np.abs(np.array([row for _, row in newest])).mean())
            found[record.partition, record.offset] = Expected(name, newest[0][0], score)
    return found
