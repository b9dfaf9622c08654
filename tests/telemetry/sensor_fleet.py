"""A fleet in memory that keeps windows of readings, and what must come of each reading by the plainest of rules."""

from __future__ import annotations

import threading
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import orjson

from tests.streams.windows.reference import Reading, Rules, see
from tests.telemetry.hash_scorer import HashScorer, score_of
from tests.workers.small_fleet import GROUP, PARTITIONS, SILENT, BusyClock, Fleet, Worker
from vss.config import LoopSettings, Settings, WindowSettings
from vss.metrics import Metrics
from vss.schemas.envelope import Message, OutcomeKind, TopicPartition
from vss.streams.dead_letters import reason_of
from vss.streams.windows.layout import WindowLayout
from vss.testing import DeferredExecutor, InMemoryBroker, InMemorySink, InMemorySource
from vss.workers.loop.loop import Loop
from vss.workers.telemetry.kinds import ANOMALY
from vss.workers.telemetry.program import sensor_step

FEATURES = ("a", "b")
START_MS = 1_700_000_000_000
TOPICS = {"in": PARTITIONS, "anomalies": 1, "dlq": 1, "shed": 1}

Place = tuple[int, int]
"""Partition and offset."""


@dataclass(frozen=True, slots=True)
class Expected:
    """What a record must become: `kind` and, of an event or a note, what it must say."""

    kind: OutcomeKind
    says: tuple[object, ...] = ()


@dataclass
class SensorFleet(Fleet):
    """Workers that look at windows.

    Attributes:
        rules: Of their windows.
        failures: What their models raise next, one a call.
    """

    rules: Rules = field(default_factory=lambda: Rules(3, 100, 1000, 100))
    failures: list[Exception] = field(default_factory=list)
    logs: dict[int, list[Reading]] = field(default_factory=lambda: {p: [] for p in range(PARTITIONS)})
    expected: dict[Place, Expected] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self.broker = InMemoryBroker(TOPICS, self.clock)
        # Made once: a worker joins often, and both take their time.
        self.metrics = Metrics()
        windows = WindowSettings(
            stride=self.rules.stride,
            lateness_ms=self.rules.lateness_ms,
            expire_after_ms=self.rules.expire_after_ms,
            max_rewind=self.rules.max_rewind,
            max_keys=50,
        )
        self.of_step = Settings(windows=windows, kafka={"topic_prefix": ""})

    def read(self, partition: int, key: int, ts_ms: int, *, missing: bool = False) -> None:
        """A reading arrives in the log; what must become of it is known at once."""
        place = TopicPartition("in", partition)
        offset = self.broker.end(place)
        name = f"sensor-{partition}-{key}".encode()
        values = {"a": float(offset), **({} if missing else {"b": float(ts_ms)})}
        value = orjson.dumps({"sensor_id": name.decode(), "ts": START_MS + ts_ms, "values": values})
        self.broker.append(Message("in", name, value), partition)
        written = (float(offset), float("nan") if missing else float(ts_ms))
        reading = Reading(name, offset, START_MS + ts_ms, written)
        self.logs[partition].append(reading)
        seen = see(self.logs[partition], len(self.logs[partition]) - 1, self.rules)
        if seen.status == "due":
            window = np.array([held.values for held in seen.window], np.float32)
            first = min(held.offset for held in seen.window)
            says = (name, first, len(window), int(np.isnan(window).sum()), score_of(window))
            self.expected[partition, offset] = Expected(OutcomeKind.EVENT, says)
        elif seen.status == "taken":
            self.expected[partition, offset] = Expected(OutcomeKind.TAKEN)
        else:
            self.expected[partition, offset] = Expected(OutcomeKind.SHED, (seen.status,))

    def junk(self, partition: int) -> None:
        """What is no reading."""
        offset = self.broker.end(TopicPartition("in", partition))
        self.broker.append(Message("in", b"sensor", b"{"), partition)
        self.expected[partition, offset] = Expected(OutcomeKind.DEAD_LETTER)

    def make(self) -> Worker:
        return self._worker(self.broker, self.settings, self._next_failure)

    def _worker(self, broker: InMemoryBroker, settings: LoopSettings, fails: Any) -> Worker:
        source, sink = InMemorySource(broker, group=GROUP), InMemorySink(broker)
        committer = DeferredExecutor()
        step = sensor_step(
            ANOMALY,
            self.of_step,
            WindowLayout(FEATURES, self.rules.window, self.rules.period_ms),
            server=HashScorer(FEATURES, fails),
            metrics=self.metrics,
            clock=self.clock,
        )
        loop = Loop(
            step,
            source,
            sink,
            topics=["in"],
            settings=settings,
            dead_letter_topic="dlq",
            shed_topic="shed",
            group=GROUP,
            committer=committer,
            metrics=self.metrics,
            clock=self.clock,
            logger=SILENT,
            state=step.state,
        )
        return Worker(loop, source, sink, committer, threading.Event())

    def _next_failure(self) -> Exception | None:
        self.clock.happen()
        return self.failures.pop(0) if self.failures else None

    # What must be true.

    def found(self, broker: InMemoryBroker | None = None) -> list[tuple[Place, Expected]]:
        """Every outcome that was written, in the order of each topic."""
        broker = broker if broker is not None else self.broker
        outcomes = []
        for record in broker.records("anomalies"):
            event = orjson.loads(record.value or b"")
            window = event["window"]
            content = (window["first_offset"], window["readings"], window["imputed"], event["anomaly_score"])
            outcomes.append((_place(event["source"]), Expected(OutcomeKind.EVENT, (record.key, *content))))
        for record in broker.records("dlq"):
            source = reason_of(record).source
            outcomes.append(((source.partition, source.offset), Expected(OutcomeKind.DEAD_LETTER)))
        for record in broker.records("shed"):
            note = orjson.loads(record.value or b"")
            outcomes.append((_place(note["source"]), Expected(OutcomeKind.SHED, (note["reason"],))))
        return outcomes

    def check(self) -> None:
        """What lies before the commits has become what it must, each once; what lies behind has become nothing."""
        found = self.found()
        outcomes = dict(found)
        places = [place for place, _ in found]
        assert len(places) == len(outcomes), f"doubled: {sorted(p for p in places if places.count(p) > 1)}"
        committed = self._committed(self.broker)
        expected = {
            place: what
            for place, what in self.expected.items()
            if place[1] < committed[place[0]] and what.kind is not OutcomeKind.TAKEN
        }
        assert outcomes == expected, _difference(outcomes, expected)

    def settle(self) -> None:
        """Everything heals. Then all is read, and equals what one worker makes of the same log undisturbed."""
        self.clock.meanwhile.clear()
        self.failures.clear()
        self.clock.advance(1000)
        for worker in self.workers:
            worker.sink.failures.clear()
            worker.committer.stuck = False
        for _ in range(200 + 4 * len(self.expected)):
            if not self.workers:
                self.join()
            for worker in list(self.workers):
                self.turn(worker)
                worker.committer.run_next()
            if self._committed(self.broker) == self._ends():
                break
        for zombie in self.zombies:
            while zombie.run_next():
                pass
        for worker in list(self.workers):
            self.leave(worker)
        assert self._committed(self.broker) == self._ends()
        self.check()
        assert set(self.found()) == set(self.found(self._undisturbed()))

    def _committed(self, broker: InMemoryBroker) -> dict[int, int]:
        found = broker.committed(GROUP, [TopicPartition("in", p) for p in range(PARTITIONS)])
        return {place.partition: commit.offset if commit else 0 for place, commit in found.items()}

    def _ends(self) -> dict[int, int]:
        return {p: self.broker.end(TopicPartition("in", p)) for p in range(PARTITIONS)}

    def _undisturbed(self) -> InMemoryBroker:
        broker = InMemoryBroker(TOPICS, BusyClock())
        for record in self.broker.records("in"):
            broker.append(Message("in", record.key, record.value, record.headers), record.partition)
        worker = self._worker(broker, LoopSettings(max_batch=7), lambda: None)
        worker.loop.start(worker.stop)
        for _ in range(20 + 4 * len(self.expected)):
            worker.loop.turn(0.1)
            worker.committer.run_next()
            if self._committed(broker) == self._ends():
                break
        worker.loop.finish()
        worker.loop.close()
        assert self._committed(broker) == self._ends()
        return broker


def _place(source: dict[str, Any]) -> Place:
    return source["partition"], source["offset"]


def _difference(found: dict[Place, Expected], expected: dict[Place, Expected]) -> str:
    wrong = {place: (found.get(place), expected.get(place)) for place in found.keys() | expected.keys()}
    return f"(found, expected): { ({place: two for place, two in sorted(wrong.items()) if two[0] != two[1]}) }"
