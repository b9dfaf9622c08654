"""`vss worker quality` on a real broker, killed while a problem lasts."""

from __future__ import annotations

import subprocess
import sys
import time
import uuid
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
import orjson
import pytest
from confluent_kafka import Producer

from tests.streams.contract.world import read_committed, wait_until
from vss.codecs.events import decode_event
from vss.config import KafkaSettings
from vss.schemas.quality import QualityEvent
from vss.streams.topic_admin import create_topics
from vss.testing import make_frame, make_image

VSS = str(Path(sys.executable).with_name("vss"))
PATIENCE_S = 60.0


class Sources:
    """A sensor and a camera, ten times a second, until told to change."""

    def __init__(self, kafka: KafkaSettings) -> None:
        self._prefix = kafka.topic_prefix
        self._producer = Producer({"bootstrap.servers": kafka.bootstrap_servers})
        self._rng = np.random.default_rng(3)
        self._scene = make_image(320, 180)
        self._seq = 0

    def send(self, *, sensor: bool = True, value: float | None = None, frozen: bool = False) -> None:
        now_ns = time.time_ns()
        if sensor:
            said = value if value is not None else float(self._seq % 10)
            text = orjson.dumps({"sensor_id": "pump", "ts": now_ns // 1_000_000, "values": {"pressure": said}})
            self._producer.produce(f"{self._prefix}telemetry", text, b"pump")
        noise = self._rng.normal(0, 0 if frozen else 4, self._scene.shape)
        image = (self._scene + noise).clip(0, 255).astype(np.uint8)
        frame = make_frame("gate", image, seq=self._seq, captured_ns=now_ns)
        self._producer.produce(f"{self._prefix}frames", frame.value, b"gate", headers=list(frame.headers))
        self._producer.flush(5)
        self._seq += 1

    def send_until(self, condition: Callable[[], bool], *, value: float | None = None, **how: bool) -> None:
        deadline = time.monotonic() + PATIENCE_S
        while not condition():
            assert time.monotonic() < deadline
            self.send(value=value, **how)
            time.sleep(0.1)


@pytest.fixture
def kafka(bootstrap_servers: str) -> KafkaSettings:
    settings = KafkaSettings(bootstrap_servers=bootstrap_servers, topic_prefix=f"q{uuid.uuid4().hex[:10]}.")
    create_topics(settings)
    return settings


@pytest.fixture
def start(kafka: KafkaSettings, tmp_path: Path) -> Iterator[Callable[[], subprocess.Popen[bytes]]]:
    started: list[subprocess.Popen[bytes]] = []

    def worker() -> subprocess.Popen[bytes]:
        command = [VSS, "worker", "quality", "--range", "pressure=0:16", "--frozen-after", "2"]
        environment = {
            "VSS_KAFKA__BOOTSTRAP_SERVERS": kafka.bootstrap_servers,
            "VSS_KAFKA__TOPIC_PREFIX": kafka.topic_prefix,
            "VSS_QUALITY__SILENT_AFTER_S": "3",
            "PATH": "/usr/bin:/bin",
        }
        with (tmp_path / f"worker{len(started)}.log").open("wb") as log:
            started.append(subprocess.Popen(command, env=environment, cwd=tmp_path, stdout=log, stderr=log))
        return started[-1]

    yield worker
    for process in started:
        if process.poll() is None:
            process.kill()
            process.wait()


def test_each_problem_starts_once_and_ends_once_although_the_worker_is_killed(
    kafka: KafkaSettings, start: Callable[[], subprocess.Popen[bytes]]
) -> None:
    def events() -> list[QualityEvent]:
        records = read_committed(kafka.bootstrap_servers, f"{kafka.topic_prefix}quality")
        return [decode_event(QualityEvent, record.value) for record in records]

    def told(problem: str, state: str) -> Callable[[], bool]:
        return lambda: any((event.problem, event.state) == (problem, state) for event in events())

    sources = Sources(kafka)
    worker = start()
    for _ in range(20):
        sources.send()
        time.sleep(0.05)
    sources.send_until(told("out_of_range", "start"), value=17.0)
    sources.send_until(told("frozen", "start"), value=17.0, frozen=True)
    worker.kill()
    worker.wait()
    start()
    for _ in range(30):
        sources.send(value=17.0, frozen=True)
        time.sleep(0.1)
    sources.send_until(told("out_of_range", "end"))
    sources.send_until(told("silent", "start"), sensor=False)
    sources.send_until(told("silent", "end"))
    found = sorted((e.source_id, e.problem, e.state) for e in events())
    assert found == [
        ("gate", "frozen", "end"),
        ("gate", "frozen", "start"),
        ("pump", "out_of_range", "end"),
        ("pump", "out_of_range", "start"),
        ("pump", "silent", "end"),
        ("pump", "silent", "start"),
    ]
    wait_until(lambda: len(events()) == len(found), patience_s=5)
