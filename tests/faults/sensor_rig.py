"""Telemetry workers as processes on a real broker, and sensors whose readings go wrong in every way."""

from __future__ import annotations

import itertools
import random
import sys
import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

import orjson

from tests.faults.rig import Rig
from tests.faults.sensor_worker import FEATURES, PERIOD_MS
from tests.streams.contract.world import LOGGER, read_committed
from tests.streams.windows.reference import Reading, Rules
from vss.schemas import topics
from vss.schemas.envelope import Message
from vss.streams.dead_letters import reason_of
from vss.streams.kafka_publisher import KafkaPublisher

START_MS = 1_700_000_000_000
RULES = Rules(window=20, lateness_ms=1000, expire_after_ms=5000, max_rewind=1200, stride=5, period_ms=PERIOD_MS)


@dataclass(frozen=True, slots=True)
class Written:
    """Everything that a group wrote: where from, and what it says.

    Attributes:
        events: Partition, offset, key, first offset, readings, imputed values and score, which tells the window.
        notes: Partition, offset and reason.
        letters: Partition, offset and error.
    """

    events: Sequence[tuple[object, ...]]
    notes: Sequence[tuple[object, ...]]
    letters: Sequence[tuple[object, ...]]


@dataclass
class SensorRig(Rig):
    """Workers of one group that look at windows.

    Attributes:
        reads: Topic of readings; one of the rig's own by default.
    """

    max_batch: int = 64
    reads: str = ""
    rules: Rules = field(default_factory=lambda: RULES)

    def __post_init__(self) -> None:
        super().__post_init__()
        self.frames = self.reads or topics.TELEMETRY.name(self.prefix)
        self.events = topics.ANOMALIES.name(self.prefix)

    def _command(self) -> list[str]:
        settings = {
            "kafka": self.kafka.model_dump(),
            "loop": {"group": self.group, "max_batch": self.max_batch},
            "windows": {
                "stride": self.rules.stride,
                "lateness_ms": self.rules.lateness_ms,
                "expire_after_ms": self.rules.expire_after_ms,
                "max_rewind": self.rules.max_rewind,
            },
        }
        program = str(Path(__file__).with_name("sensor_worker.py"))
        return [sys.executable, program, orjson.dumps(settings).decode(), self.frames, str(self.rules.window)]

    @contextmanager
    def sensors(self, rng: random.Random, *, rate: float, sensors: int = 50) -> Iterator[None]:
        """Publishes readings while the block runs; all of them are durable when it is left."""
        publisher = KafkaPublisher(self.kafka, logger=LOGGER, patient=True)
        done = threading.Event()
        failed: list[Exception] = []

        def delivered(error: Exception | None) -> None:
            if error is not None:
                failed.append(error)

        def measure() -> None:
            lines = [self._line(f"sensor-{i}", random.Random(rng.random())) for i in range(sensors)]
            while not done.wait(sensors / rate):
                for line in lines:
                    while not publisher.publish(next(line), delivered):
                        publisher.poll(0.05)
                publisher.poll()

        thread = threading.Thread(target=measure, daemon=True)
        thread.start()
        try:
            yield
        finally:
            done.set()
            thread.join()
            left = publisher.flush(60)
            publisher.close()
        assert left == 0
        assert not failed, failed[0]

    def _line(self, name: str, rng: random.Random) -> Iterator[Message]:
        """One sensor: in order mostly; also out of order, twice, late, with values missing, after a gap, unreadable."""
        ts_ms = START_MS + rng.randrange(1000)
        for seq in itertools.count():
            ts_ms += PERIOD_MS
            chance = rng.random()
            values: dict[str, float | None] = {"a": float(seq), "b": rng.uniform(0, 100)}
            if chance < 0.02:
                values["b"] = None
            elif chance < 0.03:
                ts_ms += self.rules.expire_after_ms + 1
            at_ms = ts_ms
            if 0.1 < chance < 0.14:
                at_ms = ts_ms - PERIOD_MS  # twice, or into a gap that a reading to come leaves
            elif 0.2 < chance < 0.24:
                at_ms = ts_ms + PERIOD_MS + PERIOD_MS // 2  # the next is older
            elif 0.3 < chance < 0.32:
                at_ms = ts_ms - self.rules.lateness_ms - PERIOD_MS
            value = orjson.dumps({"sensor_id": name, "ts": at_ms, "values": values})
            yield Message(self.frames, name.encode(), value if not 0.4 < chance < 0.405 else value[:-3])

    # Looking on.

    def written(self) -> Written:
        """What the group wrote, read by means that are not the project's."""
        events = []
        for record in read_committed(self.bootstrap_servers, self.events):
            event = orjson.loads(record.value or b"")
            source, window = event["source"], event["window"]
            says = (window["first_offset"], window["readings"], window["imputed"], event["anomaly_score"])
            events.append((source["partition"], source["offset"], record.key, *says))
        notes = []
        for record in read_committed(self.bootstrap_servers, topics.SHED.name(self.prefix)):
            note = orjson.loads(record.value or b"")
            notes.append((note["source"]["partition"], note["source"]["offset"], note["reason"]))
        letters = []
        for record in read_committed(self.bootstrap_servers, self.letters):
            reason = reason_of(record)
            letters.append((reason.source.partition, reason.source.offset, reason.error))
        return Written(events, notes, letters)

    def readings(self) -> tuple[dict[tuple[int, bytes], list[Reading]], set[tuple[int, int]]]:
        """The log: readings by partition and sensor, and where what is no reading lies."""
        logs: dict[tuple[int, bytes], list[Reading]] = {}
        junk = set()
        for record in read_committed(self.bootstrap_servers, self.frames):
            try:
                reading = orjson.loads(record.value or b"")
            except orjson.JSONDecodeError:
                junk.add((record.partition, record.offset))
                continue
            key = record.key or b""
            values = tuple(float("nan") if reading["values"][f] is None else reading["values"][f] for f in FEATURES)
            logs.setdefault((record.partition, key), []).append(Reading(key, record.offset, reading["ts"], values))
        return logs, junk
