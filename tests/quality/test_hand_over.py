"""Each problem is told once when it starts and once when it ends, whoever holds the partition in between."""

from __future__ import annotations

import threading
from collections import Counter
from collections.abc import Callable

import orjson
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.workers.small_fleet import SILENT
from vss.codecs.events import decode_event
from vss.config import Settings
from vss.errors import TransactionAborted
from vss.metrics import Metrics
from vss.schemas.envelope import Commit, Message, TopicPartition
from vss.schemas.quality import QualityEvent
from vss.testing import InlineExecutor, InMemoryBroker, InMemorySink, InMemorySource, ManualClock, make_frame
from vss.workers.loop.loop import Loop
from vss.workers.quality.step import QualityStep

START_MS = 1_700_000_000_000
QUALITY = {"stuck_after_s": 5, "stuck_readings": 3, "ranges": {"p": [0, 10]}}


class Fleet:
    """One worker at a time, on a broker in memory."""

    def __init__(self, **quality: object) -> None:
        self.clock = ManualClock(START_MS * 1_000_000)
        topics = dict.fromkeys(("vss.telemetry", "vss.frames", "vss.quality", "vss.dlq", "vss.shed"), 1)
        self.broker = InMemoryBroker(topics, self.clock)
        self.settings = Settings.model_validate({"quality": {**QUALITY, **quality}, "loop": {"max_batch": 4}})
        self.worker: tuple[Loop, InMemorySource, InMemorySink] | None = None

    def start(self) -> None:
        step = QualityStep(self.settings, group="g", metrics=Metrics(), clock=self.clock, logger=SILENT)
        source, sink = InMemorySource(self.broker, group="g"), InMemorySink(self.broker)
        loop = Loop(
            step,
            source,
            sink,
            topics=["vss.telemetry", "vss.frames"],
            settings=self.settings.loop,
            dead_letter_topic="vss.dlq",
            shed_topic="vss.shed",
            group="g",
            committer=InlineExecutor(),
            metrics=Metrics(),
            clock=self.clock,
            logger=SILENT,
            state=step.state,
        )
        loop.start(threading.Event())
        self.worker = loop, source, sink

    def turn(self, count: int = 1) -> None:
        assert self.worker is not None
        for _ in range(count):
            self.worker[0].turn(0.0)

    def crash(self) -> None:
        assert self.worker is not None
        self.worker[1].crash()

    def leave(self) -> None:
        assert self.worker is not None
        self.worker[0].finish()
        self.worker[0].close()

    def read(self, sensor: str, value: float, *, after_ms: int = 1000) -> None:
        self.clock.advance(after_ms / 1000)
        ts = self.clock.now_ns() // 1_000_000
        text = orjson.dumps({"sensor_id": sensor, "ts": ts, "values": {"p": value}})
        self.broker.append(Message("vss.telemetry", sensor.encode(), text))

    def events(self) -> list[QualityEvent]:
        return [decode_event(QualityEvent, record.value) for record in self.broker.records("vss.quality")]

    def told(self) -> list[tuple[str, str, str]]:
        return [(event.source_id, event.problem, event.state) for event in self.events()]

    def commit(self, topic: str = "vss.telemetry") -> Commit | None:
        place = TopicPartition(topic, 0)
        return self.broker.committed("g", [place])[place]


READINGS = st.lists(
    st.tuples(
        st.sampled_from("ab"), st.sampled_from([1.0, 1.0, 1.0, 2.0, 99.0]), st.sampled_from([1000, 1000, 70_000])
    ),
    max_size=60,
)
MOMENTS = st.lists(st.tuples(st.integers(0, 59), st.sampled_from(["crash", "leave", "abort"])), max_size=6)


def content(event: QualityEvent) -> tuple[object, ...]:
    return (event.id, event.state, event.since, event.until, event.detail, event.source)


def run(readings: list[tuple[str, float, int]], moments: dict[int, str]) -> Counter[tuple[object, ...]]:
    fleet = Fleet(silent_unknown_s=1e9, silent_intervals=1e9)
    fleet.start()
    for i, (sensor, value, after_ms) in enumerate(readings):
        fleet.read(sensor, value, after_ms=after_ms)
        match moments.get(i):
            case "abort":
                assert fleet.worker is not None
                fleet.worker[2].failures = [TransactionAborted("x")]
            case "crash":
                fleet.crash()
                fleet.start()
            case "leave":
                fleet.leave()
                fleet.start()
        fleet.turn(2)
    fleet.turn(40)
    return Counter(map(content, fleet.events()))


@given(READINGS, MOMENTS)
@settings(max_examples=150, deadline=None)
def test_whatever_happens_to_workers_the_same_is_told_once(
    readings: list[tuple[str, float, int]], moments: list[tuple[int, str]]
) -> None:
    undisturbed = run(readings, {})
    assert run(readings, dict(moments)) == undisturbed
    assert set(undisturbed.values()) <= {1}


def test_a_sensor_that_sends_nothing_is_silent_until_it_speaks() -> None:
    fleet = Fleet()
    fleet.start()
    for i in range(10):
        fleet.read("a", i)
        fleet.turn(2)
    fleet.turn(4)
    fleet.clock.advance(9)
    fleet.turn(4)
    assert fleet.told() == []
    fleet.clock.advance(3)
    fleet.turn(6)
    assert fleet.told() == [("a", "silent", "start")]
    fleet.clock.advance(100)
    fleet.turn(6)
    fleet.read("a", 3.5)
    fleet.turn(6)
    start, end = fleet.events()
    assert (end.state, end.since, end.duration_s) == ("end", start.since, 113.0)
    assert "nothing for 12 s, usually something every 1 s" in start.detail


@pytest.mark.parametrize("goes", [Fleet.crash, Fleet.leave], ids=["crashes", "leaves"])
def test_silence_is_told_once_although_its_teller_is_replaced(goes: Callable[[Fleet], None]) -> None:
    fleet = Fleet()
    fleet.start()
    for i in range(5):
        fleet.read("a", i)
        fleet.read("b", i)
        fleet.turn(3)
    for i in range(30):
        fleet.read("b", i % 7)
        fleet.turn(3)
    assert fleet.told() == [("a", "silent", "start")]
    goes(fleet)
    fleet.start()
    for i in range(30):
        fleet.read("b", i % 7)
        fleet.turn(3)
    assert fleet.told() == [("a", "silent", "start")]
    fleet.read("a", 1)
    fleet.turn(6)
    assert fleet.told() == [("a", "silent", "start"), ("a", "silent", "end")]


def test_a_silent_source_does_not_pin_the_rewind() -> None:
    fleet = Fleet()
    fleet.start()
    fleet.read("a", 1)
    for i in range(400):
        fleet.read("b", i % 7)
        fleet.turn(2)
    fleet.turn(10)
    commit = fleet.commit()
    assert commit is not None
    assert commit.offset == 401
    assert orjson.loads(commit.metadata)["rewind"] > 380


def test_nobody_is_silent_while_what_they_sent_is_still_to_be_read() -> None:
    fleet = Fleet()
    fleet.start()
    for i in range(5):
        fleet.read("a", i)
        fleet.turn(3)
    fleet.crash()
    fleet.clock.advance(3600)
    fleet.start()
    fleet.turn(3)
    assert fleet.told() == []
    fleet.clock.advance(7)
    fleet.turn(3)
    assert fleet.told() == [], "it may have spoken in that hour, and nobody has fetched it"
    fleet.clock.advance(7)
    fleet.turn(3)
    assert fleet.told() == [("a", "silent", "start")], "it stays silent"


def test_a_source_that_never_comes_back_is_forgotten() -> None:
    fleet = Fleet(forget_after_s=1000)
    fleet.start()
    for i in range(5):
        fleet.read("a", i)
        fleet.turn(3)
    fleet.clock.advance(60)
    fleet.turn(3)
    fleet.clock.advance(2000)
    for i in range(5):
        fleet.read("b", i)
        fleet.turn(3)
    commit = fleet.commit()
    assert commit is not None
    assert orjson.loads(commit.metadata)["told"] == []
    assert fleet.told() == [("a", "silent", "start")]


def test_more_problems_than_a_commit_can_remember_are_told_again_with_the_same_id() -> None:
    fleet = Fleet()
    fleet.start()
    for i in range(200):
        fleet.read(f"sensor-with-a-long-name-{i}", 99.0, after_ms=1)
    fleet.turn(120)
    assert len(fleet.events()) == 200
    commit = fleet.commit()
    assert commit is not None
    assert len(commit.metadata) <= 4096
    fleet.crash()
    fleet.start()
    for i in range(200):
        fleet.read(f"sensor-with-a-long-name-{i}", 99.0, after_ms=1)
    fleet.turn(200)
    assert len({event.id for event in fleet.events()}) == 200


def test_bad_input_is_a_dead_letter_each_and_its_neighbours_are_watched() -> None:
    fleet = Fleet()
    fleet.start()
    fleet.read("a", 99.0)
    fleet.broker.append(Message("vss.telemetry", b"a", b"{"))
    fleet.broker.append(Message("vss.frames", b"gate", b"no picture"))
    fleet.broker.append(make_frame("gate"))
    fleet.read("a", 1.0)
    fleet.turn(10)
    assert fleet.told() == [("a", "out_of_range", "start"), ("a", "out_of_range", "end")]
    assert len(fleet.broker.records("vss.dlq")) == 2
