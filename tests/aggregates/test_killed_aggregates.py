"""Real faust workers on a real broker: killed in the middle, their values are exact all the same."""

from __future__ import annotations

import signal
import subprocess
import sys
import time
import uuid
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path

import orjson
import pytest
from confluent_kafka import Producer

from tests.streams.contract.world import read_committed, wait_until
from tests.views.makers import CommittedWriter, detection, event_message
from vss.codecs.events import decode_event
from vss.codecs.headers import format_time
from vss.config import KafkaSettings
from vss.schemas.aggregates import AggregateEvent
from vss.streams.topic_admin import create_topics

VSS = str(Path(sys.executable).with_name("vss"))
START_MS = 1_700_000_000_000
Row = tuple[str, str, str, int, int, float, float, float, float]
"""Source, name, start, width, count, sum, min, max, last."""
SENSORS = 6
WIDTH = 10
PATIENCE_S = 90.0


@pytest.fixture
def kafka(bootstrap_servers: str) -> KafkaSettings:
    settings = KafkaSettings(bootstrap_servers=bootstrap_servers, topic_prefix=f"a{uuid.uuid4().hex[:10]}.")
    create_topics(settings)
    return settings


@pytest.fixture
def start(kafka: KafkaSettings, tmp_path: Path) -> Iterator[Callable[..., subprocess.Popen[bytes]]]:
    started: list[subprocess.Popen[bytes]] = []

    def worker(*options: str) -> subprocess.Popen[bytes]:
        number = len(started)
        command = [VSS, "worker", "aggregate", "--grace", "0", "--data", str(tmp_path / f"data{number}"), *options]
        environment = {
            "VSS_KAFKA__BOOTSTRAP_SERVERS": kafka.bootstrap_servers,
            "VSS_KAFKA__TOPIC_PREFIX": kafka.topic_prefix,
            "PATH": "/usr/bin:/bin",
        }
        with (tmp_path / f"worker{number}.log").open("wb") as log:
            started.append(subprocess.Popen(command, env=environment, cwd=tmp_path, stdout=log, stderr=log))
        return started[-1]

    yield worker
    for process in started:
        if process.poll() is None:
            process.kill()
            process.wait()


def produce(kafka: KafkaSettings, seconds: range) -> None:
    producer = Producer({"bootstrap.servers": kafka.bootstrap_servers, "partitioner": "murmur2_random"})
    for second in seconds:
        for sensor in range(SENSORS):
            value = {"sensor_id": f"s{sensor}", "ts": START_MS + second * 1000, "values": {"a": second, "b": sensor}}
            producer.produce(f"{kafka.topic_prefix}telemetry", orjson.dumps(value), f"s{sensor}".encode())
        producer.poll(0)
    producer.flush(20)


def events(kafka: KafkaSettings) -> list[AggregateEvent]:
    records = read_committed(kafka.bootstrap_servers, f"{kafka.topic_prefix}aggregates")
    return [decode_event(AggregateEvent, record.value) for record in records]


def expected(seconds: int) -> set[Row]:
    wanted: set[Row] = set()
    for sensor in range(SENSORS):
        # A span closes when a reading of after its end is there.
        for start in range(0, seconds - WIDTH, WIDTH):
            inside, at = range(start, start + WIDTH), format_time((START_MS + start * 1000) * 1_000_000)
            wanted.add((f"s{sensor}", "a", at, WIDTH, WIDTH, sum(inside), start, inside[-1], inside[-1]))
            wanted.add((f"s{sensor}", "b", at, WIDTH, WIDTH, sensor * WIDTH, sensor, sensor, sensor))
    return wanted


def flat(found: list[AggregateEvent]) -> set[Row]:
    return {(e.source_id, e.name, e.start, e.width_s, e.count, e.sum, e.min, e.max, e.last) for e in found}


@pytest.mark.parametrize("store", ["memory", "rocksdb"])
def test_two_kills_later_every_span_is_exact(
    kafka: KafkaSettings, start: Callable[..., subprocess.Popen[bytes]], store: str
) -> None:
    options = ("--of", "sensor", "--every", str(WIDTH), "--store", store)
    first = start(*options)
    produce(kafka, range(300))
    wait_until(lambda: len(events(kafka)) > 40, patience_s=PATIENCE_S, pause_s=0.5)
    first.kill()
    first.wait()
    produce(kafka, range(300, 600))
    second = start(*options)
    wait_until(lambda: max((e.last for e in events(kafka)), default=0) > 400, patience_s=PATIENCE_S, pause_s=0.5)
    second.kill()
    second.wait()
    third = start(*options)
    produce(kafka, range(600, 701))
    wanted = expected(701)
    wait_until(lambda: len(flat(events(kafka))) >= len(wanted), patience_s=PATIENCE_S, pause_s=0.5)
    found = events(kafka)
    assert flat(found) == wanted
    # What is told twice is told alike.
    assert len({e.id for e in found}) == len(wanted)
    third.send_signal(signal.SIGTERM)
    assert third.wait(20) == 0


@pytest.mark.slow
@pytest.mark.timeout(300)
def test_workers_that_come_and_go_and_are_killed_share_exact_spans(
    kafka: KafkaSettings, start: Callable[..., subprocess.Popen[bytes]]
) -> None:
    seconds = 0

    def produce_for_a_while() -> None:
        nonlocal seconds
        for _ in range(5):
            produce(kafka, range(seconds, seconds + 20))
            seconds += 20
            time.sleep(0.4)

    options = ("--of", "sensor", "--every", str(WIDTH))
    workers = [start(*options)]
    for change in ("start", "start", "kill", "start", "stop", "kill", "start"):
        produce_for_a_while()
        if change == "start":
            workers.append(start(*options))
        elif change == "kill":
            workers[0].kill()
            workers.pop(0).wait()
        else:
            workers[0].send_signal(signal.SIGTERM)
            assert workers.pop(0).wait(20) == 0
    produce(kafka, range(seconds, seconds + 11))
    wanted = expected(seconds + 11)
    wait_until(lambda: len(flat(events(kafka))) >= len(wanted), patience_s=PATIENCE_S, pause_s=0.5)
    assert flat(events(kafka)) == wanted
    assert len({e.id for e in events(kafka)}) == len(wanted)
    assert [worker.poll() for worker in workers] == [None] * len(workers)


def test_what_a_detector_gave_up_is_not_counted(
    kafka: KafkaSettings, start: Callable[..., subprocess.Popen[bytes]]
) -> None:
    writer = CommittedWriter(kafka)
    for seq in range(3):
        writer.write([event_message(kafka, detection(seq))])
        writer.write_and_give_up([event_message(kafka, detection(seq))])
    # A span closes when a later frame is there.
    writer.write([event_message(kafka, replace(detection(3), captured_at="2099-01-01T00:00:00Z"))])
    start("--of", "camera", "--every", "1")
    wait_until(lambda: bool(events(kafka)), patience_s=PATIENCE_S, pause_s=0.5)
    [found] = [event for event in events(kafka) if event.name == "*"]
    assert found.count == 3
