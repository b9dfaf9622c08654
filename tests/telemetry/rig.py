"""Telemetry workers as processes on a real broker, a plant that measures, and what must come of it."""

from __future__ import annotations

import os
import re
import signal
import subprocess
import sys
import urllib.request
import uuid
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import orjson

from tests.streams.contract.world import LOGGER, read_committed, wait_until
from vss.config import KafkaSettings, RedisSettings
from vss.schemas import topics
from vss.schemas.envelope import Message, Record
from vss.streams.kafka_publisher import KafkaPublisher
from vss.streams.log_reader import LogReader
from vss.streams.topic_admin import create_topics

ROOT = Path(__file__).parents[2]
VSS = str(Path(sys.executable).with_name("vss"))
PATIENCE_S = 90.0


@dataclass
class Rig:
    """Topics of its own, and workers that are processes.

    Attributes:
        bootstrap_servers: The broker.
        folder: Logs of the workers.
        step: `anomaly` or `forecast`.
        model: What `--model` says.
        options: Further options of the workers.
        environment: Further variables of the workers.
    """

    bootstrap_servers: str
    folder: Path
    step: str
    model: str
    options: Sequence[str] = ()
    environment: Mapping[str, str] = field(default_factory=dict)
    workers: list[subprocess.Popen[bytes]] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.prefix = f"t{uuid.uuid4().hex[:12]}."
        self.kafka = KafkaSettings(bootstrap_servers=self.bootstrap_servers, topic_prefix=self.prefix)
        create_topics(self.kafka)
        self.readings = topics.TELEMETRY.name(self.prefix)
        self.group = f"{self.prefix}{self.step}"
        self._logs: dict[int, Path] = {}

    def start(self) -> subprocess.Popen[bytes]:
        """One more worker; does not wait for it."""
        return self._run([self.step, "--model", self.model, "--threads", "1", *self.options], self.environment)

    def start_view(self, redis: RedisSettings) -> subprocess.Popen[bytes]:
        """`vss worker cache`; does not wait for it."""
        return self._run(["cache"], {"VSS_REDIS__URL": redis.url, "VSS_REDIS__KEY_PREFIX": redis.key_prefix})

    def _run(self, arguments: Sequence[str], variables: Mapping[str, str]) -> subprocess.Popen[bytes]:
        log = self.folder / f"worker-{self.prefix}{len(self._logs)}.log"
        environment = {
            **os.environ,
            "PYTHONPATH": str(ROOT),
            "OMP_NUM_THREADS": "1",
            "VSS_KAFKA__TOPIC_PREFIX": self.prefix,
            **variables,
        }
        command = [VSS, "worker", *arguments, "--bootstrap-servers", self.bootstrap_servers]
        with log.open("wb") as out:
            worker = subprocess.Popen(
                command, stdout=out, stderr=out, env=environment, cwd=self.folder, stdin=subprocess.DEVNULL
            )
        self.workers.append(worker)
        self._logs[worker.pid] = log
        return worker

    def kill(self, worker: subprocess.Popen[bytes]) -> None:
        """`kill -9`."""
        worker.kill()
        worker.wait()
        self.workers.remove(worker)

    def stop(self, worker: subprocess.Popen[bytes]) -> int:
        """SIGTERM; returns the exit code."""
        worker.send_signal(signal.SIGTERM)
        code = worker.wait(30)
        self.workers.remove(worker)
        return code

    def close(self) -> None:
        for worker in self.workers:
            worker.kill()
            worker.wait()

    def logs(self) -> str:
        return "\n".join(f"--- {path.name}\n{path.read_text()[-3000:]}" for path in sorted(self.folder.glob("*.log")))

    def metrics(self, worker: subprocess.Popen[bytes]) -> str:
        """What a worker's /metrics shows."""
        found = re.search(r'"port": (\d+)', self._logs[worker.pid].read_text())
        assert found, self.logs()
        with urllib.request.urlopen(f"http://127.0.0.1:{found[1]}/metrics", timeout=10) as page:
            text: str = page.read().decode()
        return text

    def publish(self, messages: Sequence[Message]) -> None:
        """Writes messages and waits until they are durable."""
        publisher = KafkaPublisher(self.kafka, logger=LOGGER, patient=True)
        for message in messages:
            while not publisher.publish(message):
                publisher.poll(0.05)
        assert publisher.flush(60) == 0
        publisher.close()

    def wait_joined(self) -> None:
        """Waits until every worker has been given partitions."""
        wait_until(
            lambda: all(b"partitions assigned" in self._logs[worker.pid].read_bytes() for worker in self.workers),
            patience_s=PATIENCE_S,
        )

    def wait_served(self) -> None:
        """Waits until the group has committed all that is there."""
        with LogReader(self.kafka, logger=LOGGER) as reader:
            ends = {partition: span.end for partition, span in reader.spans([self.readings]).items() if span.end}

            def served() -> bool:
                assert all(worker.poll() is None for worker in self.workers), self.logs()
                committed = reader.committed(self.group, list(ends))
                return all((committed.get(partition) or 0) >= end for partition, end in ends.items())

            wait_until(served, patience_s=PATIENCE_S, pause_s=0.1)

    def read(self, topic: topics.Topic) -> list[Record]:
        """What a `read_committed` reader finds."""
        return read_committed(self.bootstrap_servers, topic.name(self.prefix))

    def events(self, topic: topics.Topic) -> dict[tuple[int, int], Any]:
        """Events by the partition and offset of their source; fails where one is there twice."""
        found: dict[tuple[int, int], Any] = {}
        for record in self.read(topic):
            event = orjson.loads(record.value or b"")
            source = event["source"]
            place = source["partition"], source["offset"]
            assert place not in found, f"two events of {place}\n{self.logs()}"
            found[place] = event
        return found
