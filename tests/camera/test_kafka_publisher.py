from __future__ import annotations

import random
import time
from collections.abc import Iterator

import pytest

from tests.camera.cluster import CameraCluster
from vss.config import KafkaSettings
from vss.errors import BrokerUnavailable, ConfigError, RecordTooLarge
from vss.local.ports import free_ports
from vss.logs import get_logger
from vss.schemas.envelope import Message
from vss.schemas.topics import FRAMES
from vss.streams.kafka_publisher import KafkaPublisher
from vss.streams.topic_admin import create_topics


@pytest.fixture
def cluster(bootstrap_servers: str) -> CameraCluster:
    cluster = CameraCluster(bootstrap_servers)
    create_topics(cluster.kafka, topics=(FRAMES,))
    return cluster


@pytest.fixture
def publisher(cluster: CameraCluster) -> Iterator[KafkaPublisher]:
    publisher = KafkaPublisher(cluster.kafka, logger=get_logger("test"))
    yield publisher
    publisher.close()


def message(cluster: CameraCluster, size_bytes: int = 10, topic: str | None = None) -> Message:
    return Message(topic or FRAMES.name(cluster.kafka.topic_prefix), b"gate", b"x" * size_bytes)


@pytest.mark.parametrize("size_bytes", [13 << 20, 17 << 20], ids=["for the topic", "for the client"])
def test_a_message_too_large_is_reported_and_its_neighbours_are_written(
    cluster: CameraCluster, publisher: KafkaPublisher, size_bytes: int
) -> None:
    ends: list[Exception | None] = []
    for size in (10, size_bytes, 10):
        assert publisher.publish(message(cluster, size), ends.append)
        assert publisher.flush(30) == 0
    assert ends[0] is None
    assert isinstance(ends[1], RecordTooLarge)
    assert ends[2] is None
    assert len(cluster.records()) == 2


def test_a_topic_that_is_gone_is_reported_with_the_fix(cluster: CameraCluster, publisher: KafkaPublisher) -> None:
    ends: list[Exception | None] = []
    assert publisher.publish(message(cluster, topic=f"{cluster.kafka.topic_prefix}gone"), ends.append)
    assert publisher.flush(60) == 0
    (error,) = ends
    assert isinstance(error, ConfigError)
    assert "vss topics create" in error.fix


def test_closing_without_a_broker_gives_up_soon_and_says_so_of_every_message() -> None:
    address = f"127.0.0.1:{free_ports(1, random.Random())[0]}"
    cluster = CameraCluster(address)
    publisher = KafkaPublisher(cluster.kafka, logger=get_logger("test"), patient=True)
    ends: list[Exception | None] = []
    for _ in range(5):
        assert publisher.publish(message(cluster), ends.append)
    start_s = time.monotonic()
    publisher.close()
    publisher.close()
    assert time.monotonic() - start_s < 10
    assert len(ends) == 5
    assert all(isinstance(error, BrokerUnavailable) for error in ends)


def test_a_full_queue_takes_nothing_more(cluster: CameraCluster) -> None:
    settings = KafkaSettings(
        bootstrap_servers=f"127.0.0.1:{free_ports(1, random.Random())[0]}",
        properties={"queue.buffering.max.messages": 3},
    )
    publisher = KafkaPublisher(settings, logger=get_logger("test"))
    ends: list[Exception | None] = []
    assert [publisher.publish(message(cluster), ends.append) for _ in range(5)] == [True, True, True, False, False]
    publisher.close()
    assert len(ends) == 3


def test_without_patience_a_message_fails_in_time() -> None:
    cluster = CameraCluster(f"127.0.0.1:{free_ports(1, random.Random())[0]}")
    settings = cluster.kafka.model_copy(update={"properties": {"message.timeout.ms": 1000}})
    publisher = KafkaPublisher(settings, logger=get_logger("test"))
    ends: list[Exception | None] = []
    assert publisher.publish(message(cluster), ends.append)
    assert publisher.flush(30) == 0
    assert isinstance(ends[0], BrokerUnavailable)
