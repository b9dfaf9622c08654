"""`vss up`, `vss down` and `vss status` as a user runs them."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from vss.local.fleet import LocalFleet
from vss.local.process import ProcessId
from vss.local.state import read_state

VSS = str(Path(sys.executable).with_name("vss"))


@pytest.fixture
def place(tmp_path: Path) -> Iterator[Path]:
    """A working folder whose fleet is stopped at the end."""
    yield tmp_path
    LocalFleet(tmp_path / ".vss", owned=False).down()


def environment() -> dict[str, str]:
    return {name: value for name, value in os.environ.items() if not name.startswith("VSS_") or name == "VSS_CACHE"}


def vss(place: Path, *arguments: str, exit_code: int = 0) -> subprocess.CompletedProcess[str]:
    done = subprocess.run([VSS, *arguments], cwd=place, capture_output=True, text=True, env=environment(), check=False)
    assert done.returncode == exit_code, done.stdout + done.stderr
    return done


def document(place: Path, *arguments: str, exit_code: int = 0) -> Any:
    return json.loads(vss(place, *arguments, "--json", exit_code=exit_code).stdout)


def test_up_status_down_in_the_way_a_user_goes(place: Path) -> None:
    assert "stopped" in vss(place, "status", exit_code=1).stdout
    assert vss(place, "down").stdout == f"nothing was running in {place / '.vss'}\n"

    lines = vss(place, "up").stdout.splitlines()
    state = read_state(place / ".vss")
    servers, url = f"127.0.0.1:{state.kafka.ports[0]}", f"redis://127.0.0.1:{state.redis.ports[0]}/0"
    assert lines[0].startswith("# ready after ")
    assert f"export VSS_KAFKA__BOOTSTRAP_SERVERS={servers}" in lines
    assert f"export VSS_REDIS__URL={url}" in lines

    kafka, redis = vss(place, "status").stdout.splitlines()
    assert kafka.startswith(f"kafka  running  {servers}  pid ")
    assert redis.startswith(f"redis  running  {url[8:-2]}  pid ")

    # Once more starts nothing anew.
    again = document(place, "up")
    assert again == {"bootstrap_servers": servers, "redis_url": url, "folder": str(place / ".vss")}
    assert read_state(place / ".vss") == state

    told = document(place, "status")
    assert set(told) == {"kafka", "redis"}
    assert state.kafka.process is not None
    assert told["kafka"] == {
        "running": True,
        "answering": True,
        "address": servers,
        "pid": state.kafka.process.pid,
        "log_file": str(place / ".vss" / "logs" / "kafka.log"),
    }

    assert document(place, "down") == {"stopped": ["kafka", "redis"], "folder": str(place / ".vss")}
    assert not state.kafka.alive()
    assert document(place, "status", exit_code=1)["kafka"]["address"] is None


def test_status_tells_a_server_that_hangs_and_one_that_died(place: Path) -> None:
    vss(place, "up", "--only", "redis")
    assert document(place, "status")["kafka"]["running"] is False
    process = read_state(place / ".vss").redis.process
    assert process is not None
    process.send(signal.SIGSTOP)
    try:
        assert document(place, "status", exit_code=1)["redis"]["answering"] is False
        assert "not answering" in vss(place, "status", exit_code=1).stdout
    finally:
        process.send(signal.SIGCONT)
    assert document(place, "status")["redis"]["answering"] is True
    os.kill(process.pid, signal.SIGKILL)
    assert document(place, "status", exit_code=1)["redis"]["running"] is False


def test_what_up_prints_can_be_read_by_a_shell(place: Path) -> None:
    script = f'eval "$({VSS} up --only redis)" && printf %s "$VSS_REDIS__URL"'
    shell = ["bash", "-euc", script]
    done = subprocess.run(shell, cwd=place, capture_output=True, text=True, env=environment(), check=True)
    assert done.stdout == LocalFleet(place / ".vss", owned=False).addresses.redis_url


def test_two_ups_at_once_on_one_folder_start_one_fleet(place: Path) -> None:
    command = [VSS, "up", "--json"]
    both = [
        subprocess.Popen(command, cwd=place, stdout=subprocess.PIPE, stderr=subprocess.PIPE, env=environment())
        for _ in range(2)
    ]
    answers = [process.communicate(timeout=110) for process in both]
    assert [process.returncode for process in both] == [0, 0], answers
    assert json.loads(answers[0][0]) == json.loads(answers[1][0])
    assert _javas_in(place) == 1


def _javas_in(place: Path) -> int:
    import psutil

    folder = str(place / ".vss" / "kafka")
    count = 0
    for process in psutil.process_iter():
        try:
            count += process.name() == "java" and process.cwd() == folder
        except psutil.Error:
            continue
    return count


def test_an_up_that_is_killed_half_way_is_finished_by_the_next(place: Path) -> None:
    command = [VSS, "up"]
    first = subprocess.Popen(
        command, cwd=place, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, env=environment()
    )
    started = None
    while first.poll() is None and started is None:
        started = read_state(place / ".vss").kafka.process
    first.kill()
    first.wait()
    assert started is not None
    vss(place, "up")
    assert read_state(place / ".vss").kafka.process == started
    vss(place, "down")
    assert not started.alive()
    assert _javas_in(place) == 0


def test_another_folder_can_be_named(place: Path) -> None:
    elsewhere = place / "else where"
    try:
        told = document(place, "up", "--only", "redis", "--folder", str(elsewhere))
        assert told == {"bootstrap_servers": None, "redis_url": told["redis_url"], "folder": str(elsewhere)}
        assert not (place / ".vss").exists()
        vss(place, "status", exit_code=1)
        vss(place, "status", "--folder", str(elsewhere))
    finally:
        vss(place, "down", "--folder", str(elsewhere))


def test_an_unwritable_folder_is_one_line_with_the_fix(place: Path) -> None:
    (place / "file").write_text("in the way")
    done = vss(place, "up", "--folder", "file/fleet", exit_code=2)
    error, fix = done.stderr.splitlines()
    assert error.startswith("error: the folder ")
    assert error.endswith("cannot be written: Not a directory")
    assert fix == "fix:   choose a folder you may write to with --folder or VSS_HOME"


def test_a_state_file_that_is_not_ours_is_one_line_with_the_fix(place: Path) -> None:
    (place / ".vss").mkdir()
    state = place / ".vss" / "fleet.json"
    state.write_text("{")
    for command in ("up", "status", "down"):
        error, fix = vss(place, command, exit_code=2).stderr.splitlines()
        assert "fleet.json cannot be read" in error
        assert fix.startswith("fix:   remove ")
    state.unlink()


def test_the_process_of_up_is_known_by_more_than_its_pid(place: Path) -> None:
    vss(place, "up", "--only", "redis")
    process = read_state(place / ".vss").redis.process
    assert process is not None
    assert process == ProcessId.of(process.pid)
