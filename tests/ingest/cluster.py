"""`vss camera` or `vss sensor` as a process, on a topic prefix of its own, and what it left in Kafka."""

from __future__ import annotations

import os
import re
import subprocess
import sys
import time
import urllib.request
import uuid

from confluent_kafka import Consumer, TopicPartition

from vss.config import KafkaSettings
from vss.schemas.envelope import Record
from vss.schemas.topics import Topic
from vss.streams.kafka_records import record_of


class Cluster:
    """A Kafka, and a prefix that nobody else uses."""

    def __init__(self, bootstrap_servers: str, *, command: str, topic: Topic) -> None:
        self._command = command
        self._topic = topic
        self.kafka = KafkaSettings(bootstrap_servers=bootstrap_servers, topic_prefix=f"{uuid.uuid4().hex[:8]}.")

    def start(self, *arguments: str, stdin: int | None = None, **variables: str) -> subprocess.Popen[str]:
        environment = (
            os.environ
            | variables
            | {
                "VSS_KAFKA__BOOTSTRAP_SERVERS": self.kafka.bootstrap_servers,
                "VSS_KAFKA__TOPIC_PREFIX": self.kafka.topic_prefix,
            }
        )
        command = [sys.executable, "-c", "from vss.cli.main import main; main()", self._command, *arguments]
        return subprocess.Popen(
            command, env=environment, stdin=stdin, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
        )

    def run(self, *arguments: str) -> subprocess.CompletedProcess[str]:
        process = self.start(*arguments)
        try:
            out, err = process.communicate(timeout=90)
        except subprocess.TimeoutExpired:
            process.kill()
            raise
        return subprocess.CompletedProcess(arguments, process.returncode, out, err)

    def records(self) -> list[Record]:
        """Everything in the topic."""
        consumer = Consumer({"bootstrap.servers": self.kafka.bootstrap_servers, "group.id": uuid.uuid4().hex})
        try:
            topic = self._topic.name(self.kafka.topic_prefix)
            partitions = [TopicPartition(topic, i, 0) for i in range(self._topic.partitions)]
            expected = sum(consumer.get_watermark_offsets(p, timeout=30)[1] for p in partitions)
            consumer.assign(partitions)
            records: list[Record] = []
            deadline = time.monotonic() + 60
            while len(records) < expected:
                assert time.monotonic() < deadline
                for message in consumer.consume(100, 0.5):
                    assert message.error() is None
                    records.append(record_of(message))
            return records
        finally:
            consumer.close()


def metrics_port(process: subprocess.Popen[str]) -> int:
    """Reads the log up to the line that says where metrics are served."""
    assert process.stderr is not None
    for line in process.stderr:
        if found := re.search(r'"port": (\d+)', line):
            return int(found.group(1))
    raise AssertionError("the process ended before it served metrics")


def scrape(port: int) -> str:
    with urllib.request.urlopen(f"http://127.0.0.1:{port}/metrics", timeout=10) as answer:
        return str(answer.read().decode())


def value_of(metrics: str, name: str) -> float:
    """The first sample whose name and labels begin so."""
    return next((float(line.rpartition(" ")[2]) for line in metrics.splitlines() if line.startswith(name)), 0.0)
