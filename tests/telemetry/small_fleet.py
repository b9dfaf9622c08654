"""Telemetry workers on the in-memory broker, with the loop, the windows and the events of the real ones."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

import orjson

from tests.telemetry.numpy_server import NumpyServer, anomaly_spec
from tests.workers.small_fleet import SILENT
from vss.codecs.events import decode_event
from vss.config import Settings
from vss.metrics import Metrics
from vss.schemas import topics
from vss.schemas.envelope import Commit, Message, Record, TopicPartition
from vss.schemas.events import ShedNote
from vss.streams.dead_letters import Reason, reason_of
from vss.streams.windows.layout import WindowLayout
from vss.testing import InlineExecutor, InMemoryBroker, InMemorySink, InMemorySource, ManualClock
from vss.workers.loop.loop import Loop
from vss.workers.service import consumer_group
from vss.workers.telemetry.kinds import ANOMALY, FORECAST
from vss.workers.telemetry.program import sensor_step

READINGS = TopicPartition("vss.telemetry", 0)


@dataclass
class Worker:
    loop: Loop
    sink: InMemorySink
    server: NumpyServer
    metrics: Metrics

    def turns(self, count: int = 12) -> None:
        for _ in range(count):
            self.loop.turn(0.0)

    def value(self, name: str, **labels: str) -> float:
        return self.metrics.registry.get_sample_value(name, labels) or 0.0


@dataclass
class SmallFleet:
    """One partition of readings and what comes of them.

    Attributes:
        settings: Of every worker.
    """

    settings: Settings = field(default_factory=Settings)

    def __post_init__(self) -> None:
        self.clock = ManualClock()
        names = [topic.name("vss.") for topic in (topics.ANOMALIES, topics.FORECASTS, topics.SHED, topics.DEAD_LETTERS)]
        self.broker = InMemoryBroker({READINGS.topic: 1, **dict.fromkeys(names, 1)}, self.clock)

    @contextmanager
    def worker(
        self, server: NumpyServer | None = None, *, crashes: bool = False, max_batch: int = 4
    ) -> Iterator[Worker]:
        server = server if server is not None else NumpyServer(anomaly_spec())
        kind = ANOMALY if server.task == "anomaly" else FORECAST
        metrics, group = Metrics(), consumer_group(self.settings, kind.name)
        layout = WindowLayout(*server.spec.layout)
        step = sensor_step(kind, self.settings, layout, server=server, metrics=metrics, clock=self.clock)
        source, sink = InMemorySource(self.broker, group=group), InMemorySink(self.broker)
        loop = Loop(
            step,
            source,
            sink,
            topics=[READINGS.topic],
            settings=self.settings.loop.model_copy(update={"max_batch": max_batch}),
            dead_letter_topic=topics.DEAD_LETTERS.name("vss."),
            shed_topic=topics.SHED.name("vss."),
            group=group,
            committer=InlineExecutor(),
            metrics=metrics,
            clock=self.clock,
            logger=SILENT,
            state=step.state,
        )
        loop.start(threading.Event())
        yield Worker(loop, sink, server, metrics)
        if crashes:
            source.crash()
        else:
            loop.finish()
            loop.close()

    def produce(self, *messages: Message) -> list[Record]:
        return [self.broker.append(message) for message in messages]

    def events(self, topic: topics.Topic = topics.ANOMALIES) -> list[Any]:
        return [orjson.loads(record.value or b"") for record in self.broker.records(topic.name("vss."))]

    def sources(self, topic: topics.Topic = topics.ANOMALIES) -> list[int]:
        return [event["source"]["offset"] for event in self.events(topic)]

    def notes(self) -> list[ShedNote]:
        return [decode_event(ShedNote, record.value) for record in self.broker.records(topics.SHED.name("vss."))]

    def letters(self) -> list[Reason]:
        return [reason_of(record) for record in self.broker.records(topics.DEAD_LETTERS.name("vss."))]

    def commit(self) -> Commit | None:
        return self.broker.committed("vss.anomaly", [READINGS])[READINGS]
