"""What the local broker allows, and who can reach it."""

from __future__ import annotations

import time
import uuid
from typing import Any

import pytest
from confluent_kafka import Consumer, Producer
from confluent_kafka.admin import AdminClient, ConfigResource, ResourceType

from tests.local.clients import GENEROUS_S, create_topic, produce, read
from vss.local.fleet import LocalFleet
from vss.local.state import read_state


def test_the_broker_allows_what_the_fleets_promises_need(local_fleet: LocalFleet) -> None:
    admin = AdminClient({"bootstrap.servers": local_fleet.addresses.bootstrap_servers})
    resource = ConfigResource(ResourceType.BROKER, "1")
    settings = admin.describe_configs([resource])[resource].result(GENEROUS_S)
    values = {name: entry.value for name, entry in settings.items()}
    assert int(values["group.consumer.session.timeout.ms"]) == 6000
    assert int(values["group.consumer.min.session.timeout.ms"]) <= 6000
    assert int(values["group.min.session.timeout.ms"]) <= 6000
    assert int(values["transaction.abort.timed.out.transaction.cleanup.interval.ms"]) <= 1000
    assert int(values["group.initial.rebalance.delay.ms"]) == 0
    assert int(values["transaction.max.timeout.ms"]) >= 60_000
    assert values["auto.create.topics.enable"] == "false"  # a mistyped topic must not come into being


@pytest.mark.parametrize("protocol", ["classic", "consumer"])
def test_a_group_joins_within_seconds_with_sessions_of_six(local_fleet: LocalFleet, protocol: str) -> None:
    servers = local_fleet.addresses.bootstrap_servers
    topic = create_topic(servers, partitions=4)
    config: dict[str, Any] = {"bootstrap.servers": servers, "group.id": uuid.uuid4().hex, "group.protocol": protocol}
    if protocol == "classic":
        config["session.timeout.ms"] = 6000
    consumer = Consumer({**config, "auto.offset.reset": "earliest"})
    try:
        consumer.subscribe([topic])
        deadline_s = time.monotonic() + GENEROUS_S
        while len(consumer.assignment()) < 4:
            message = consumer.poll(0.1)
            assert message is None or message.error() is None, message.error()
            assert time.monotonic() < deadline_s
    finally:
        consumer.close()


def test_a_dead_producers_open_transaction_is_ended_in_time(local_fleet: LocalFleet) -> None:
    servers = local_fleet.addresses.bootstrap_servers
    topic = create_topic(servers)
    config = {"bootstrap.servers": servers, "transactional.id": uuid.uuid4().hex, "transaction.timeout.ms": 1000}
    dead = Producer(config)
    dead.init_transactions(GENEROUS_S)
    dead.begin_transaction()
    dead.produce(topic, b"never committed")
    assert dead.flush(GENEROUS_S) == 0
    produce(servers, topic, b"behind it")
    # By default the broker looks for such transactions every 10 s, and this would take as long.
    start_s = time.monotonic()
    assert read(servers, topic, 1) == [b"behind it"]
    assert time.monotonic() - start_s < 9.0


def test_a_raw_frame_of_1080p_fits_into_a_record(local_fleet: LocalFleet) -> None:
    servers = local_fleet.addresses.bootstrap_servers
    topic = create_topic(servers)
    frame = bytes(1920 * 1080 * 3)
    produce(servers, topic, frame)
    assert read(servers, topic, 1) == [frame]


def test_servers_listen_on_the_loopback_interface_alone(local_fleet: LocalFleet) -> None:
    import psutil

    state = read_state(local_fleet.folder)
    for server in (state.kafka, state.redis):
        assert server.process is not None
        listening = [
            connection.laddr
            for connection in psutil.Process(server.process.pid).net_connections()
            if connection.status == psutil.CONN_LISTEN
        ]
        assert {address.port for address in listening} == set(server.ports)
        assert {address.ip.removeprefix("::ffff:") for address in listening} == {"127.0.0.1"}
