"""One source of readings: opened, paced, buffered and published."""

from __future__ import annotations

import math
import random
import threading

from vss.clock import Clock
from vss.logs import Logger
from vss.metrics import Metrics
from vss.streams.ports import Publisher
from vss.workers.ingest.backoff import Backoff
from vss.workers.ingest.buffer import Buffer
from vss.workers.ingest.capture import Capture
from vss.workers.ingest.counts import Counts
from vss.workers.ingest.feed import Feed
from vss.workers.ingest.pacing import Pacer
from vss.workers.ingest.publishing import Publishing
from vss.workers.ingest.status import SourceStatus
from vss.workers.sensor.config import SensorConfig
from vss.workers.sensor.json_lines import STDIN
from vss.workers.sensor.reading_message import ReadingMessages
from vss.workers.sensor.reading_taker import ReadingTaker, TakenReading
from vss.workers.sensor.regularity import Regularity
from vss.workers.sensor.sample import Source
from vss.workers.sensor.shift import Shift

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
        logger = logger.bind(sensor=config.id)
        stop = threading.Event()
        buffer: Buffer[TakenReading] = Buffer(config.buffer, shed_oldest=source.live)
        metrics.sensor_buffer.labels(config.id).set_function(lambda: len(buffer))
        counts = Counts(config.id, metrics.readings_captured, metrics.readings_published, metrics.readings_dropped)
        status = SourceStatus(
            "sensor",
            metrics.sensor_up.labels(config.id),
            metrics.sensor_reconnects.labels(config.id),
            item="reading",
            clock=clock,
            logger=logger,
        )
        # What comes through a pipe comes when it comes.
        paced = not source.live and config.source != STDIN and math.isfinite(config.speed)
        taker = ReadingTaker(
            config.id,
            buffer,
            pacer=Pacer(clock, stop, jump_s=_JUMP_S) if paced else None,
            speed=config.speed,
            shift=Shift(from_now=config.from_now, clock=clock) if config.from_now or config.loop else None,
            regularity=Regularity(period_ms=config.period_ms, jump_periods=config.jump_periods, live=source.live),
            counts=counts,
            metrics=metrics,
            clock=clock,
            logger=logger,
        )
        super().__init__(
            config.id,
            "sensor",
            {"source": source.name, "live": source.live},
            capture=Capture(
                source,
                taker,
                item="reading",
                loop=config.loop,
                backoff=Backoff(random),
                status=status,
                clock=clock,
                stop=stop,
            ),
            publishing=Publishing(
                buffer,
                ReadingMessages(clock.now_ns() // 1_000_000, topic=topic, random=random).encode,
                publisher,
                sheds=source.live,
                items="readings",
                counts=counts,
                stop=stop,
                logger=logger,
            ),
            buffer=buffer,
            counts=counts,
            status=status,
            stop=stop,
            logger=logger,
        )
