"""`fleet.json`."""

from __future__ import annotations

import os
import threading
from pathlib import Path

import pytest

from vss.errors import LocalError
from vss.local.process import ProcessId
from vss.local.state import KAFKA, REDIS, STATE_FILE, FleetState, ServerState, read_state, running, write_state

GONE = ProcessId(os.getpid(), "of another boot:1")


def me() -> ProcessId:
    process = ProcessId.of(os.getpid())
    assert process is not None
    return process


def test_what_is_written_is_read(tmp_path: Path) -> None:
    state = FleetState(ServerState((20001, 20002), me(), GONE), ServerState((20003,)))
    write_state(tmp_path, state)
    assert read_state(tmp_path) == state
    assert [path.name for path in tmp_path.iterdir()] == [STATE_FILE]


def test_a_folder_without_fleet_has_an_empty_state(tmp_path: Path) -> None:
    assert read_state(tmp_path) == FleetState()
    assert read_state(tmp_path / "missing") == FleetState()
    assert running(tmp_path) is None


def test_only_servers_that_run_have_an_address(tmp_path: Path) -> None:
    write_state(tmp_path, FleetState(ServerState((20001, 20002), me()), ServerState((20003,), GONE)))
    addresses = running(tmp_path)
    assert addresses is not None
    assert (addresses.bootstrap_servers, addresses.redis_url) == ("127.0.0.1:20001", "")
    write_state(tmp_path, FleetState(ServerState((20001, 20002), GONE), ServerState((20003,), GONE)))
    assert running(tmp_path) is None


def test_a_server_whose_owner_died_is_doomed() -> None:
    assert ServerState((20001,), me(), GONE).doomed()
    assert not ServerState((20001,), me(), me()).doomed()
    assert not ServerState((20001,), me()).doomed()


@pytest.mark.parametrize(
    "text", ["", "{", "[]", "{}", '{"kafka": {}, "redis": {}}', '{"kafka": {"ports": "x", "process": 1}, "redis": 3}']
)
def test_a_file_that_is_not_ours_is_an_error_with_a_fix(tmp_path: Path, text: str) -> None:
    (tmp_path / STATE_FILE).write_text(text)
    with pytest.raises(LocalError, match=r"fleet\.json cannot be read") as raised:
        read_state(tmp_path)
    assert str(tmp_path / STATE_FILE) in raised.value.fix
    assert running(tmp_path) is None  # which every command asks, and which must not stand in its way


def test_one_server_is_replaced_and_the_other_stays() -> None:
    state = FleetState(ServerState((1, 2)), ServerState((3,)))
    assert state.with_server(REDIS, ServerState((4,))) == FleetState(ServerState((1, 2)), ServerState((4,)))
    assert state.with_server(KAFKA, ServerState((5, 6))).server(KAFKA).ports == (5, 6)


def test_a_reader_never_sees_half_a_state(tmp_path: Path) -> None:
    short, long = FleetState(), FleetState(ServerState(tuple(range(20_000, 21_000)), me()), ServerState((1,)))
    write_state(tmp_path, short)
    over = threading.Event()

    def write() -> None:
        while not over.is_set():
            write_state(tmp_path, long)
            write_state(tmp_path, short)

    writer = threading.Thread(target=write)
    writer.start()
    try:
        for _ in range(300):
            assert read_state(tmp_path) in (short, long)
    finally:
        over.set()
        writer.join()
