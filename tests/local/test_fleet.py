"""A real Kafka and a real Redis in a folder."""

from __future__ import annotations

import os
import random
import socket
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
import redis
from confluent_kafka.admin import AdminClient

from tests.local.clients import GENEROUS_S, create_topic, produce, read
from vss.local.fleet import LocalFleet
from vss.local.state import read_state

# Spaces, commas and other letters in a path are where shells, Java's properties and class paths stumble.
ODD_NAME = "our fleet, hall №1 $HOME %d"


@pytest.fixture(scope="module")
def fleet(tmp_path_factory: pytest.TempPathFactory) -> Iterator[LocalFleet]:
    """One for the tests that leave it running."""
    with LocalFleet(tmp_path_factory.mktemp("fleets") / ODD_NAME) as fleet:
        yield fleet


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
