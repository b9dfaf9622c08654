"""Free ports."""

from __future__ import annotations

import random
import socket

import pytest

from vss.errors import LocalError
from vss.local import ports
from vss.local.ports import FIRST_PORT, LAST_PORT, free_ports, is_free, listens


def listener(port: int = 0, host: str = "127.0.0.1") -> socket.socket:
    server = socket.socket()
    server.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    server.bind((host, port))
    server.listen()
    return server


def test_ports_are_different_free_and_below_those_of_outgoing_connections() -> None:
    found = free_ports(8, random.SystemRandom())
    assert len(set(found)) == 8
    assert all(FIRST_PORT <= port <= LAST_PORT and is_free(port) for port in found)


def test_the_ports_of_last_time_are_taken_again_where_they_are_free() -> None:
    wanted = free_ports(2, random.SystemRandom())
    assert free_ports(2, random.SystemRandom(), wanted=wanted) == wanted
    with listener(wanted[0]):
        other, kept = free_ports(2, random.SystemRandom(), wanted=wanted)
    assert kept == wanted[1]
    assert other not in wanted


@pytest.mark.parametrize("host", ["127.0.0.1", "0.0.0.0"])  # noqa: S104 - what other programs do
def test_a_port_somebody_listens_on_is_not_free(host: str) -> None:
    with listener(host=host) as server:
        port = server.getsockname()[1]
        assert not is_free(port)
        assert listens(port)


def test_a_port_that_is_bound_but_not_yet_listened_on_is_not_free() -> None:
    with socket.socket() as bound:
        bound.bind(("127.0.0.1", 0))
        assert not is_free(bound.getsockname()[1])
        assert not listens(bound.getsockname()[1])


def test_a_port_whose_last_connections_are_winding_down_is_free() -> None:
    port = free_ports(1, random.SystemRandom())[0]
    with listener(port) as server, socket.create_connection(("127.0.0.1", port)) as client:
        accepted, _ = server.accept()
        accepted.close()  # the server's side closes first, and so waits in TIME_WAIT
        client.recv(1)
    assert is_free(port)


def test_no_free_port_is_an_error_with_a_fix(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(ports, "is_free", lambda _port: False)
    with pytest.raises(LocalError, match="no free port") as raised:
        free_ports(1, random.SystemRandom())
    assert raised.value.fix
