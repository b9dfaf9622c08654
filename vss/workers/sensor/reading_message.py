"""From a reading to its record."""

from __future__ import annotations

import random

from vss.codecs.reading_encoding import encode_reading, reading_headers
from vss.schemas.envelope import Message
from vss.schemas.reading import Reading
from vss.workers.ingest.traceparent import new_traceparent
from vss.workers.sensor.reading_taker import TakenReading


class ReadingMessages:
    """Makes records of readings.

    Args:
        epoch: `vss_epoch`, the start of this run in milliseconds since the epoch.
        topic: Name of the readings' topic.
        random: Makes trace ids.
    """

    def __init__(self, epoch: int, *, topic: str, random: random.Random) -> None:
        self._epoch = epoch
        self._topic = topic
        self._random = random

    def encode(self, taken: TakenReading) -> Message:
        """The record of a reading."""
        sample = taken.sample
        reading = Reading(sensor_id=sample.sensor_id, ts=sample.ts_ms, values=sample.values)
        headers = reading_headers(
            sample.sensor_id,
            sample.ts_ms,
            epoch=self._epoch,
            seq=taken.seq,
            traceparent=new_traceparent(self._random),
        )
        return Message(self._topic, sample.sensor_id.encode(), encode_reading(reading), headers)
