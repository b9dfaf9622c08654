"""One source of readings: opened, paced, buffered and published."""

from __future__ import annotations

import math
import random

from vss.clock import Clock
from vss.logs import Logger
from vss.metrics import Metrics
from vss.streams.ports import Publisher
from vss.workers.ingest.feed import Feed
from vss.workers.ingest.pacing import Pacer
from vss.workers.ingest.parts import FeedMetrics, Naming, Parts
from vss.workers.sensor.config import SensorConfig
from vss.workers.sensor.json_lines import STDIN
from vss.workers.sensor.reading_message import ReadingMessages
from vss.workers.sensor.reading_taker import ReadingTaker, TakenReading
from vss.workers.sensor.regularity import Regularity
from vss.workers.sensor.sample import Source
from vss.workers.sensor.shift import Shift

NAMING = Naming(role="sensor", item="reading", items="readings")

# A day between two readings is a pause of the file that nobody wants to sit through.
_JUMP_S = 86_400.0


class Sensor(Feed):
    """One source of readings of a process.

    Args:
        config: What it is told.
        source: What `config.source` was recognised as.
        publisher: Kafka; may be shared with other sensors.
        topic: Name of the readings' topic.
        metrics: Where everything is counted.
        clock: Time.
        random: Jitter and trace ids.
        logger: Its lines carry the sensor's id.
    """

    def __init__(
        self,
        config: SensorConfig,
        source: Source,
        publisher: Publisher,
        *,
        topic: str,
        metrics: Metrics,
        clock: Clock,
        random: random.Random,
        logger: Logger,
    ) -> None:
        parts: Parts[TakenReading] = Parts(
            config.id,
            NAMING,
            size=config.buffer,
            live=source.live,
            metrics=FeedMetrics(
                up=metrics.sensor_up,
                reconnects=metrics.sensor_reconnects,
                buffered=metrics.sensor_buffer,
                captured=metrics.readings_captured,
                published=metrics.readings_published,
                dropped=metrics.readings_dropped,
            ),
            clock=clock,
            logger=logger,
        )
        # What comes through a pipe comes when it comes.
        paced = not source.live and config.source != STDIN and math.isfinite(config.speed)
        super().__init__(
            parts,
            source,
            ReadingTaker(
                parts,
                pacer=Pacer(clock, parts.stop, jump_s=_JUMP_S) if paced else None,
                speed=config.speed,
                shift=Shift(from_now=config.from_now, clock=clock) if config.from_now or config.loop else None,
                regularity=Regularity(period_ms=config.period_ms, jump_periods=config.jump_periods, live=source.live),
                metrics=metrics,
            ),
            ReadingMessages(clock.now_ns() // 1_000_000, topic=topic, random=random).encode,
            publisher,
            loop=config.loop,
            random=random,
        )
