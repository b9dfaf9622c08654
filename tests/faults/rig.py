"""A fleet of real processes on a real broker, and an independent join of what went in with what came out."""

from __future__ import annotations

import itertools
import os
import signal
import subprocess
import sys
import threading
import time
import uuid
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import orjson
from confluent_kafka import Consumer, KafkaException
from confluent_kafka import TopicPartition as KafkaPartition

from tests.streams.contract.world import LOGGER, read_committed, wait_until
from vss.config import KafkaSettings
from vss.schemas import topics
from vss.schemas.envelope import Message, Record
from vss.streams.dead_letters import reason_of
from vss.streams.kafka_publisher import KafkaPublisher
from vss.streams.topic_admin import create_topics
from vss.testing import make_frame

ROOT = Path(__file__).parents[2]
GROUP = "workers"
VSS = str(Path(sys.executable).with_name("vss"))
START_PATIENCE_S = 60.0


@dataclass
class Rig:
    """Topics of its own, workers as processes, a camera as a thread.

    Args:
        bootstrap_servers: The broker.
        folder: Logs of the workers.
        protocol: `consumer` or `classic`.
        work_ms: What a batch costs an echo worker.
        model: Workers are `vss worker detect` with this model; None: echo workers.
    """

    bootstrap_servers: str
    folder: Path
    protocol: str = "consumer"
    work_ms: float = 20.0
    max_batch: int = 8
    model: Path | None = None
    workers: list[subprocess.Popen[bytes]] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.prefix = f"f{uuid.uuid4().hex[:12]}."
        self.kafka = KafkaSettings.model_validate(
            {"bootstrap_servers": self.bootstrap_servers, "topic_prefix": self.prefix, "group_protocol": self.protocol}
        )
        create_topics(self.kafka)
        self.frames = topics.FRAMES.name(self.prefix)
        self.events = topics.DETECTIONS.name(self.prefix)
        self.letters = topics.DEAD_LETTERS.name(self.prefix)
        self.group = self.prefix + GROUP
        self._started = itertools.count()
        self._logs: dict[int, Path] = {}
        # Of the group by name alone: it never joins.
        self._onlooker = Consumer(
            {
                "bootstrap.servers": self.bootstrap_servers,
                "group.id": self.group,
                "isolation.level": "read_uncommitted",
                "enable.auto.commit": False,
                "log_level": 0,
            }
        )

    # Workers.

    def start_worker(self) -> subprocess.Popen[bytes]:
        """One more process; does not wait for it."""
        log = self.folder / f"worker-{self.prefix}{next(self._started)}.log"
        environment = {
            **os.environ,
            "PYTHONPATH": str(ROOT),
            "OMP_NUM_THREADS": "1",
            "VSS_KAFKA__TOPIC_PREFIX": self.prefix,
            "VSS_KAFKA__GROUP_PROTOCOL": self.protocol,
            "VSS_LOOP__MAX_BATCH": str(self.max_batch),
        }
        with log.open("wb") as out:
            process = subprocess.Popen(
                self._command(), stdout=out, stderr=out, env=environment, cwd=self.folder, stdin=subprocess.DEVNULL
            )
        self.workers.append(process)
        self._logs[process.pid] = log
        return process

    def _command(self) -> list[str]:
        if self.model is not None:
            where = ["--bootstrap-servers", self.bootstrap_servers, "--group", self.group]
            model = ["--model", str(self.model), "--threads", "1", "--metrics-port", "0"]
            return [VSS, "worker", "detect", *where, *model]
        settings = {
            "kafka": self.kafka.model_dump(),
            "loop": {"group": self.group, "max_batch": self.max_batch},
        }
        program = str(Path(__file__).with_name("echo_worker.py"))
        return [sys.executable, program, orjson.dumps(settings).decode(), str(self.work_ms)]

    def kill(self, worker: subprocess.Popen[bytes]) -> None:
        """`kill -9`."""
        worker.kill()
        worker.wait()
        self.workers.remove(worker)

    def stop(self, worker: subprocess.Popen[bytes], *, within_s: float = 30.0) -> int:
        """SIGTERM; returns the exit code."""
        worker.send_signal(signal.SIGTERM)
        code = worker.wait(within_s)
        self.workers.remove(worker)
        return code

    def close(self) -> None:
        """Ends every process that is left."""
        for worker in self.workers:
            worker.kill()
            worker.wait()
        self._onlooker.close()

    def logs(self) -> str:
        """What the workers said, for a failed test."""
        return "\n".join(f"--- {path.name}\n{path.read_text()[-3000:]}" for path in sorted(self.folder.glob("*.log")))

    # The camera.

    @contextmanager
    def camera(self, *, fps: float = 100.0, cameras: int = 16) -> Iterator[list[Message]]:
        """Publishes frames in the background while the block runs; all of them are durable when it is left."""
        sent: list[Message] = []
        done = threading.Event()
        failed: list[Exception] = []
        publisher = KafkaPublisher(self.kafka, logger=LOGGER, patient=True)

        def delivered(error: Exception | None) -> None:
            if error is not None:
                failed.append(error)

        def shoot() -> None:
            for seq in itertools.count():
                message = self.frame(seq, f"camera-{seq % cameras}")
                while not publisher.publish(message, delivered):
                    publisher.poll(0.05)
                sent.append(message)
                publisher.poll()
                if done.wait(1 / fps):
                    return

        thread = threading.Thread(target=shoot, daemon=True)
        thread.start()
        try:
            yield sent
        finally:
            done.set()
            thread.join()
            left = publisher.flush(60)
            publisher.close()
        assert left == 0
        assert not failed, failed[0]

    def frame(self, seq: int, camera: str) -> Message:
        """What the workers of this rig can work on."""
        if self.model is not None:
            return make_frame(camera, topic=self.frames, seq=seq)
        return Message(self.frames, camera.encode(), f"{camera}/{seq}".encode())

    def publish(self, messages: list[Message]) -> None:
        """Writes messages and waits until they are durable."""
        publisher = KafkaPublisher(self.kafka, logger=LOGGER)
        for message in messages:
            assert publisher.publish(message)
        assert publisher.flush(60) == 0
        publisher.close()

    # Looking on.

    def ends(self) -> dict[int, int]:
        """The end of each partition of frames."""
        deadline = time.monotonic() + START_PATIENCE_S
        partitions = [KafkaPartition(self.frames, p) for p in range(4)]
        while True:
            try:
                found = [self._onlooker.get_watermark_offsets(partition, timeout=30) for partition in partitions]
            except KafkaException:  # a leader is being found
                assert time.monotonic() < deadline
            else:
                return {p: end for p, (_, end) in enumerate(found)}

    def committed(self) -> dict[int, int]:
        """What the group has committed, by partition; a transaction under way does not count."""
        try:
            found = self._onlooker.committed([KafkaPartition(self.frames, p) for p in range(4)], timeout=30)
        except KafkaException:  # the coordinator is being found
            return {}
        return {entry.partition: max(0, entry.offset) for entry in found}

    def wait_joined(self) -> None:
        """Waits until every worker says that it has been given partitions."""

        def joined() -> bool:
            return all(b"partitions assigned" in self._logs[worker.pid].read_bytes() for worker in self.workers)

        wait_until(joined, patience_s=START_PATIENCE_S)

    def wait_served_again(self) -> float:
        """Waits until a frame of each partition that was published after this call is served; returns how long."""
        started_s = time.monotonic()
        before = self.ends()
        wait_until(lambda: all(end > before[partition] for partition, end in self.ends().items()))
        self.wait_served({partition: end + 1 for partition, end in before.items()}, patience_s=START_PATIENCE_S)
        return time.monotonic() - started_s

    def wait_served(self, ends: dict[int, int], *, patience_s: float) -> float:
        """Waits until every partition is committed up to these ends; returns how long that took, seconds."""
        started_s = time.monotonic()

        def served() -> bool:
            committed = self.committed()
            return all(committed.get(partition, 0) >= end for partition, end in ends.items())

        wait_until(served, patience_s=patience_s, pause_s=0.1)
        return time.monotonic() - started_s

    def wait_working(self) -> None:
        """Waits until the fleet serves what is there now, or the first frame where nothing is there yet."""
        wait_until(lambda: any(self.ends().values()), patience_s=START_PATIENCE_S, pause_s=0.1)
        self.wait_served(self.ends(), patience_s=START_PATIENCE_S)

    def exactly_once(self, expected: int | None = None) -> list[Record]:
        """Joins input and outcomes by coordinates; fails unless each record has exactly one. Returns the events.

        Nothing of the project's is used for it but `reason_of`, which names the source of a dead letter.
        """
        records = read_committed(self.bootstrap_servers, self.frames)
        events = read_committed(self.bootstrap_servers, self.events)
        sources = [_source(orjson.loads(event.value or b"null")) for event in events]
        for letter in read_committed(self.bootstrap_servers, self.letters):
            source = reason_of(letter).source
            sources.append((source.topic, source.partition, source.offset))
        counted = Counter(sources)
        places = {(record.topic, record.partition, record.offset) for record in records}
        doubled = {place: count for place, count in counted.items() if count > 1}
        assert not doubled, f"{len(doubled)} doubled, such as {min(doubled)}\n{self.logs()}"
        lost = places - counted.keys()
        assert not lost, f"{len(lost)} of {len(places)} lost, such as {min(lost)}\n{self.logs()}"
        assert counted.keys() == places, "outcomes of records that never were"
        if expected is not None:
            assert len(places) == expected
        order: dict[tuple[bytes | None, int], list[int]] = {}
        for event in events:
            _, partition, offset = _source(orjson.loads(event.value or b"null"))
            order.setdefault((event.key, partition), []).append(offset)
        assert all(offsets == sorted(offsets) for offsets in order.values()), "a camera's events are out of order"
        return events


def _source(event: Any) -> tuple[str, int, int]:
    source = event["source"]
    return source["topic"], source["partition"], source["offset"]
