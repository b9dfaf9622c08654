"""The sink of a real cluster, whose client loses the answer of a call."""

from __future__ import annotations

import threading
import uuid
from collections.abc import Iterator
from typing import Any

import pytest
from confluent_kafka import Producer

from tests.streams.contract.world import LOGGER, Listener, create_topic, poll_until, read_committed, wait_until
from vss.config import KafkaSettings
from vss.errors import TransactionAborted
from vss.schemas.envelope import Commit, Message, TopicPartition
from vss.streams.kafka_config import client
from vss.streams.kafka_sink import KafkaSink
from vss.streams.kafka_source import KafkaSource


class Stuck(threading.Event):
    """Set when the call may come back."""

    asked = 0


@pytest.fixture
def stuck(monkeypatch: pytest.MonkeyPatch) -> Iterator[Stuck]:
    """Producers of which the first does not come back from sending offsets, as librdkafka's may."""
    stuck = Stuck()

    class Client(Producer):
        def send_offsets_to_transaction(self, *args: Any) -> None:
            stuck.asked += 1
            if stuck.asked == 1:
                stuck.wait()
            super().send_offsets_to_transaction(*args)

    monkeypatch.setattr("vss.streams.kafka_sink.client", lambda _, config, logger: client(Client, config, logger))
    monkeypatch.setattr("vss.streams.kafka_sink._STUCK_AFTER_S", 0.3)
    yield stuck
    stuck.set()


def test_a_client_that_never_comes_back_is_replaced_and_its_transaction_never_seen(
    bootstrap_servers: str, stuck: Stuck
) -> None:
    topic, result = create_topic(bootstrap_servers, 1), create_topic(bootstrap_servers, 1)
    settings = KafkaSettings(bootstrap_servers=bootstrap_servers)
    source = KafkaSource(settings, group=f"group-{uuid.uuid4().hex}", logger=LOGGER)
    sink = KafkaSink(settings, transactional_id=f"stuck-{uuid.uuid4().hex}", logger=LOGGER)
    try:
        source.subscribe([topic], Listener())
        partition = TopicPartition(topic, 0)
        poll_until(source, lambda: partition in source.assignment())
        with pytest.raises(TransactionAborted, match="has not come back"):
            sink.transact([Message(result, b"k", b"lost")], {partition: Commit(1)}, source.group())
        sink.transact([Message(result, b"k", b"kept")], {partition: Commit(2)}, source.group())
        # Whatever the call does later, the broker has fenced its producer.
        stuck.set()
        wait_until(lambda: stuck.asked == 2)
        assert [record.value for record in read_committed(bootstrap_servers, result)] == [b"kept"]
        committed = source.committed([partition])[partition]
        assert committed is not None
        assert committed.offset == 2
    finally:
        sink.close()
        source.close()
