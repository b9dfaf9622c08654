"""What the tests of the local fleet do to its Kafka, and how they wait."""

from __future__ import annotations

import time
import uuid

from confluent_kafka import Consumer, Producer, TopicPartition
from confluent_kafka.admin import AdminClient, NewTopic

from vss.local.process import ProcessId

GENEROUS_S = 60.0


def create_topic(servers: str, partitions: int = 1) -> str:
    topic = f"t.{uuid.uuid4().hex}"
    admin = AdminClient({"bootstrap.servers": servers})
    admin.create_topics([NewTopic(topic, partitions, 1)])[topic].result(GENEROUS_S)
    return topic


def produce(servers: str, topic: str, *values: bytes) -> None:
    producer = Producer({"bootstrap.servers": servers, "message.max.bytes": 16 << 20})
    for value in values:
        producer.produce(topic, value, on_delivery=_delivered)
    assert producer.flush(GENEROUS_S) == 0


def _delivered(error: object, _message: object) -> None:
    assert error is None, error


def read(servers: str, topic: str, count: int) -> list[bytes]:
    """That many committed records from the topic's start."""
    config = {"bootstrap.servers": servers, "group.id": "-", "isolation.level": "read_committed"}
    consumer = Consumer({**config, "fetch.message.max.bytes": 16 << 20, "enable.auto.commit": False})
    try:
        consumer.assign([TopicPartition(topic, 0, 0)])
        values: list[bytes] = []
        deadline_s = time.monotonic() + GENEROUS_S
        while len(values) < count:
            assert time.monotonic() < deadline_s, f"{len(values)} of {count} records came"
            message = consumer.poll(0.2)
            if message is not None and message.error() is None:
                values.append(message.value() or b"")
        return values
    finally:
        consumer.close()


def gone(process: ProcessId | None, within_s: float = 30.0) -> bool:
    assert process is not None
    deadline_s = time.monotonic() + within_s
    while process.alive() and time.monotonic() < deadline_s:
        time.sleep(0.05)
    return not process.alive()
