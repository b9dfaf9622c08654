"""A real Kafka and a real Redis in a folder."""

from __future__ import annotations

import os
import random
import shutil
import socket
import subprocess
import sys
import time
import uuid
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import redis
from confluent_kafka import Consumer, Producer, TopicPartition
from confluent_kafka.admin import AdminClient, ConfigResource, NewTopic, ResourceType

from vss.errors import LocalError
from vss.local.fleet import LocalFleet
from vss.local.jars import cache_folder
from vss.local.process import ProcessId
from vss.local.state import KAFKA, REDIS, read_state

GENEROUS_S = 60.0
# Spaces, commas and other letters in a path are where shells, Java's properties and class paths stumble.
ODD_NAME = "our fleet, hall №1 $HOME %d"


@pytest.fixture(scope="module")
def fleet(tmp_path_factory: pytest.TempPathFactory) -> Iterator[LocalFleet]:
    """One for the tests that leave it running."""
    with LocalFleet(tmp_path_factory.mktemp("fleets") / ODD_NAME) as fleet:
        yield fleet


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


def test_it_serves_clients_as_soon_as_up_returns(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    start_s = time.monotonic()
    with LocalFleet(tmp_path / "new") as fleet:
        first_s = time.monotonic() - start_s
        servers = fleet.addresses.bootstrap_servers
        topic = create_topic(servers)
        produce(servers, topic, b"a frame")
        assert read(servers, topic, 1) == [b"a frame"]
        assert redis.Redis.from_url(fleet.addresses.redis_url).ping()
        fleet.down()
        start_s = time.monotonic()
        fleet.up()
        again_s = time.monotonic() - start_s
    with capsys.disabled():
        sys.stdout.write(f"\n[ready after {first_s:.1f} s the first time in a folder, {again_s:.1f} s the next]\n")
    assert again_s < GENEROUS_S


def test_data_and_ports_survive_down_and_up(tmp_path: Path) -> None:
    with LocalFleet(tmp_path) as fleet:
        before = fleet.addresses
        topic = create_topic(before.bootstrap_servers)
        produce(before.bootstrap_servers, topic, b"one", b"two")
        redis.Redis.from_url(before.redis_url).set("camera", "gate")
        fleet.down()
        assert [server.running for server in fleet.status()] == [False, False]
        assert fleet.addresses.bootstrap_servers == fleet.addresses.redis_url == ""
        assert fleet.up() == before
        assert read(before.bootstrap_servers, topic, 2) == [b"one", b"two"]
        assert redis.Redis.from_url(before.redis_url).get("camera") == b"gate"


def test_a_crash_of_a_server_loses_neither_data_nor_port(tmp_path: Path) -> None:
    with LocalFleet(tmp_path) as fleet:
        before = fleet.addresses
        topic = create_topic(before.bootstrap_servers)
        produce(before.bootstrap_servers, topic, b"one")
        redis.Redis.from_url(before.redis_url).set("camera", "gate")
        fleet.kill_broker()
        fleet.kill_redis()
        assert [server.running for server in fleet.status()] == [False, False]
        fleet.restart_redis()
        fleet.restart_broker()
        assert fleet.addresses == before
        assert read(before.bootstrap_servers, topic, 1) == [b"one"]
        assert redis.Redis.from_url(before.redis_url).get("camera") == b"gate"


def test_two_fleets_run_side_by_side(fleet: LocalFleet, tmp_path: Path) -> None:
    with LocalFleet(tmp_path) as other:
        mine, theirs = fleet.addresses, other.addresses
        assert {mine.bootstrap_servers, mine.redis_url}.isdisjoint({theirs.bootstrap_servers, theirs.redis_url})
        topic = create_topic(mine.bootstrap_servers)
        assert topic in AdminClient({"bootstrap.servers": mine.bootstrap_servers}).list_topics(timeout=10).topics
        assert topic not in AdminClient({"bootstrap.servers": theirs.bootstrap_servers}).list_topics(timeout=10).topics
    assert all(server.answering for server in fleet.status())


def test_ports_that_others_took_meanwhile_are_exchanged_and_the_data_is_there(tmp_path: Path) -> None:
    with LocalFleet(tmp_path) as fleet:
        before = fleet.addresses
        topic = create_topic(before.bootstrap_servers)
        produce(before.bootstrap_servers, topic, b"one")
        fleet.down()
        state = read_state(tmp_path)
        taken = [socket.create_server(("127.0.0.1", port)) for port in (*state.kafka.ports, *state.redis.ports)]
        try:
            after = fleet.up()
            assert after.bootstrap_servers != before.bootstrap_servers
            assert after.redis_url != before.redis_url
            assert read(after.bootstrap_servers, topic, 1) == [b"one"]
        finally:
            for server in taken:
                server.close()


class _Late(random.SystemRandom):
    """Draws the same port first, as if another program came between our look and the server's."""

    def __init__(self, port: int) -> None:
        super().__init__()
        self._first = [port]

    def randint(self, a: int, b: int) -> int:
        return self._first.pop() if self._first else super().randint(a, b)


def test_a_port_that_is_taken_at_the_last_moment_is_exchanged(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with socket.create_server(("127.0.0.1", 0)) as other:
        port = other.getsockname()[1]
        look = LocalFleet.__init__.__globals__["free_ports"]

        def too_early(count: int, rng: random.Random, *, wanted: tuple[int, ...] = ()) -> tuple[int, ...]:
            ports: tuple[int, ...] = look(count, rng, wanted=wanted)
            if rng.randint(0, 0) == port:
                return (port, *ports[1:])
            return ports

        monkeypatch.setattr("vss.local.fleet.free_ports", too_early)
        fleet = LocalFleet(tmp_path, rng=_Late(port))
        with fleet:
            assert read_state(tmp_path).redis.ports != (port,)
            assert all(server.answering for server in fleet.status())


def test_one_server_alone_can_be_had_and_the_other_added(tmp_path: Path) -> None:
    fleet = LocalFleet(tmp_path)
    try:
        addresses = fleet.up(kafka=False)
        assert addresses.bootstrap_servers == ""
        assert redis.Redis.from_url(addresses.redis_url).ping()
        process = read_state(tmp_path).redis.process
        both = fleet.up()
        assert both.redis_url == addresses.redis_url
        assert read_state(tmp_path).redis.process == process
        assert both.bootstrap_servers
    finally:
        fleet.down()


def test_a_machine_without_java_and_redis_is_served_by_the_packages(tmp_path: Path) -> None:
    bare = {name: value for name, value in os.environ.items() if name not in ("PATH", "JAVA_HOME")}
    with LocalFleet(tmp_path, environ={**bare, "PATH": str(tmp_path)}) as fleet:
        state = read_state(tmp_path)
        for server, program in ((state.kafka, "java"), (state.redis, "redis-server")):
            assert server.process is not None
            runs = Path(f"/proc/{server.process.pid}/exe").readlink()
            assert runs.name == program
            assert runs.is_relative_to(sys.prefix)
        topic = create_topic(fleet.addresses.bootstrap_servers)
        produce(fleet.addresses.bootstrap_servers, topic, b"a frame")
        assert read(fleet.addresses.bootstrap_servers, topic, 1) == [b"a frame"]


def test_a_cache_that_java_cannot_be_told_of_is_an_error_with_a_fix(tmp_path: Path, fleet: LocalFleet) -> None:
    assert fleet  # so that the jars are there
    cache = tmp_path / "a:b"
    shutil.copytree(cache_folder(os.environ) / "jars", cache / "jars")
    with pytest.raises(LocalError, match="Java cannot be told") as raised:
        LocalFleet(tmp_path / "fleet", environ={**os.environ, "VSS_CACHE": str(cache)}).up(redis=False)
    assert "VSS_CACHE" in raised.value.fix


def fake_java(folder: Path, says: str) -> dict[str, str]:
    """An environment whose Java starts nothing but tells why."""
    java = folder / "home" / "bin" / "java"
    java.parent.mkdir(parents=True)
    java.write_text(f'#!/bin/sh\n[ "$1" = -version ] && echo \'openjdk version "21"\' && exit 0\n{says}\nexit 1\n')
    java.chmod(0o755)
    return {**os.environ, "JAVA_HOME": str(folder / "home")}


def test_a_failed_start_shows_the_logs_last_lines_and_leaves_nothing_running(tmp_path: Path) -> None:
    environ = fake_java(tmp_path, 'case "$*" in *StorageTool*) exit 0;; esac; seq 1 100; echo no memory')
    fleet = LocalFleet(tmp_path / "fleet", environ=environ)
    with pytest.raises(LocalError) as raised:
        fleet.up()
    message = str(raised.value)
    assert message.startswith("kafka ended while it started; its last lines:\n    82\n")
    assert message.endswith("    100\n    no memory")
    assert str(fleet.log_file(KAFKA)) in raised.value.fix
    assert [server.running for server in fleet.status()] == [False, False]
    assert fleet.log_file(KAFKA).read_text().endswith("no memory\n")


def test_a_failed_start_stops_only_what_it_started(tmp_path: Path) -> None:
    environ = fake_java(tmp_path, "echo broken")
    fleet = LocalFleet(tmp_path / "fleet", environ=environ)
    try:
        fleet.up(kafka=False)
        with pytest.raises(LocalError, match="Kafka cannot format"):
            fleet.up()
        assert [server.answering for server in fleet.status()] == [False, True]
    finally:
        fleet.down()


def test_a_corrupt_data_folder_is_an_error_that_says_what_helps(tmp_path: Path) -> None:
    fleet = LocalFleet(tmp_path)
    try:
        fleet.up(redis=False)
        fleet.down()
        (tmp_path / KAFKA / "data" / "meta.properties").write_text("version=1\ncluster.id=another\nnode.id=7\n")
        with pytest.raises(LocalError, match="its last lines") as raised:
            fleet.up(redis=False)
        assert "meta.properties" in str(raised.value)
        assert f"removing {tmp_path / KAFKA} starts it afresh" in raised.value.fix
        for path in sorted((tmp_path / KAFKA).rglob("*"), reverse=True):
            path.rmdir() if path.is_dir() else path.unlink()
        assert fleet.up(redis=False).bootstrap_servers
    finally:
        fleet.down()


def test_a_corrupt_redis_file_is_an_error_that_says_what_helps(tmp_path: Path) -> None:
    fleet = LocalFleet(tmp_path)
    fleet.up(kafka=False)
    redis.Redis.from_url(fleet.addresses.redis_url).set("a", "b")
    fleet.down()
    files = [path for path in (tmp_path / REDIS).rglob("*aof*") if path.is_file()]
    assert files
    for path in files:
        path.write_bytes(b"*no Redis wrote this\r\n" * 10)
    with pytest.raises(LocalError, match="redis ended while it started") as raised:
        fleet.up(kafka=False)
    assert str(tmp_path / REDIS) in raised.value.fix


def test_a_folder_that_cannot_be_written_is_an_error_with_a_fix(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("in the way")
    with pytest.raises(LocalError, match="cannot be written") as raised:
        LocalFleet(tmp_path / "file" / "fleet").up()
    assert "--folder" in raised.value.fix
    (tmp_path / "fleet").mkdir()
    (tmp_path / "fleet" / "redis").write_text("in the way")
    with pytest.raises(LocalError, match=r"fleet/redis cannot be written"):
        LocalFleet(tmp_path / "fleet").up()


OWNER = """
import sys, time
from pathlib import Path
from vss.local.fleet import LocalFleet
with LocalFleet(Path(sys.argv[1])):
    print("ready", flush=True)
    time.sleep(600)
"""


def test_a_killed_parent_leaves_no_kafka_and_no_redis_and_the_next_start_works(tmp_path: Path) -> None:
    owner = subprocess.Popen([sys.executable, "-c", OWNER, str(tmp_path)], stdout=subprocess.PIPE)
    assert owner.stdout is not None
    assert owner.stdout.readline() == b"ready\n"
    left = read_state(tmp_path)
    assert left.kafka.alive()
    assert left.redis.alive()
    owner.kill()
    owner.wait()
    owner.stdout.close()
    # At once: what the dead one left must neither be waited for nor be taken for a fleet that stays.
    with LocalFleet(tmp_path) as fleet:
        after = read_state(tmp_path)
        assert after.kafka.process != left.kafka.process
        assert after.redis.process != left.redis.process
        assert all(server.answering for server in fleet.status())
    assert gone(left.kafka.process)
    assert gone(left.redis.process)
    assert gone(after.kafka.process)
    assert gone(after.redis.process)


def test_a_killed_parent_takes_kafka_and_redis_with_it(tmp_path: Path) -> None:
    owner = subprocess.Popen([sys.executable, "-c", OWNER, str(tmp_path)], stdout=subprocess.PIPE)
    assert owner.stdout is not None
    assert owner.stdout.readline() == b"ready\n"
    state = read_state(tmp_path)
    owner.kill()
    owner.wait()
    owner.stdout.close()
    assert gone(state.kafka.process)
    assert gone(state.redis.process)


def test_the_broker_allows_what_the_fleets_promises_need(fleet: LocalFleet) -> None:
    admin = AdminClient({"bootstrap.servers": fleet.addresses.bootstrap_servers})
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
def test_a_group_joins_within_seconds_with_sessions_of_six(fleet: LocalFleet, protocol: str) -> None:
    servers = fleet.addresses.bootstrap_servers
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


def test_a_dead_producers_open_transaction_is_ended_in_time(fleet: LocalFleet) -> None:
    servers = fleet.addresses.bootstrap_servers
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


def test_a_raw_frame_of_1080p_fits_into_a_record(fleet: LocalFleet) -> None:
    servers = fleet.addresses.bootstrap_servers
    topic = create_topic(servers)
    frame = bytes(1920 * 1080 * 3)
    produce(servers, topic, frame)
    assert read(servers, topic, 1) == [frame]


def test_servers_listen_on_the_loopback_interface_alone(fleet: LocalFleet) -> None:
    import psutil

    state = read_state(fleet.folder)
    for server in (state.kafka, state.redis):
        assert server.process is not None
        listening = [
            connection.laddr
            for connection in psutil.Process(server.process.pid).net_connections()
            if connection.status == psutil.CONN_LISTEN
        ]
        assert {address.port for address in listening} == set(server.ports)
        assert {address.ip.removeprefix("::ffff:") for address in listening} == {"127.0.0.1"}
