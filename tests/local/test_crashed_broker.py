"""What a crash of the broker leaves of transactions: each one ends, and ends whole."""

from __future__ import annotations

import threading
import time
import uuid
from collections import Counter
from pathlib import Path

from confluent_kafka import KafkaException, Producer

from tests.local.clients import GENEROUS_S, create_topic
from tests.streams.contract.world import read_committed
from vss.config import KafkaSettings
from vss.local.fleet import LocalFleet
from vss.streams.open_transactions import overdue_transactions

PARTITIONS = 8
PRODUCERS = 3
TIMEOUT_MS = 1000


def transactional(servers: str) -> Producer:
    config = {"bootstrap.servers": servers, "transactional.id": uuid.uuid4().hex, "log_level": 0}
    producer = Producer({**config, "transaction.timeout.ms": TIMEOUT_MS, "error_cb": lambda _error: None})
    producer.init_transactions(GENEROUS_S)
    return producer


def write(producer: Producer, topic: str) -> None:
    """The same value into every partition, in a transaction that is left open."""
    value = uuid.uuid4().bytes
    producer.begin_transaction()
    for partition in range(PARTITIONS):
        producer.produce(topic, value, partition=partition)


def commit_until_the_broker_dies(producer: Producer, topic: str) -> None:
    try:
        while True:
            write(producer, topic)
            producer.commit_transaction(GENEROUS_S / 10)
    except KafkaException:
        return


def overdue(servers: str, topic: str) -> list[int]:
    """The partitions that hold a transaction which nobody ends."""
    settings = KafkaSettings(bootstrap_servers=servers, transaction_timeout_ms=TIMEOUT_MS)
    return [found.partition.partition for found in overdue_transactions(settings, [topic])]


def test_a_transaction_whose_time_passes_while_the_broker_is_dead_is_ended(tmp_path: Path) -> None:
    """A broker that starts after a crash decides it before the controller lets it lead a partition again."""
    with LocalFleet(tmp_path) as fleet:
        servers = fleet.addresses.bootstrap_servers
        topic = create_topic(servers, PARTITIONS)
        dead = transactional(servers)
        write(dead, topic)
        assert dead.flush(GENEROUS_S) == 0
        fleet.kill_broker()
        time.sleep(2 * TIMEOUT_MS / 1000)
        fleet.restart_broker()
        assert overdue(servers, topic) == []
        assert read_committed(servers, topic) == []


def test_transactions_being_committed_when_the_broker_dies_end_whole(tmp_path: Path) -> None:
    """What was decided and not yet written into each partition is written when the broker is back."""
    with LocalFleet(tmp_path) as fleet:
        servers = fleet.addresses.bootstrap_servers
        topic = create_topic(servers, PARTITIONS)
        producers = [transactional(servers) for _ in range(PRODUCERS)]
        threads = [
            threading.Thread(target=commit_until_the_broker_dies, args=(producer, topic)) for producer in producers
        ]
        for thread in threads:
            thread.start()
        time.sleep(2.0)  # in the middle of it
        fleet.kill_broker()
        fleet.restart_broker()
        for thread in threads:
            thread.join()
        assert overdue(servers, topic) == []
        records = read_committed(servers, topic)
    copies = Counter(record.value for record in records)
    assert len(copies) > PRODUCERS
    assert set(copies.values()) == {PARTITIONS}
    assert len({(record.partition, record.value) for record in records}) == len(records)
