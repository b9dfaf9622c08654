"""A server lives no longer than its owner, however the owner dies."""

from __future__ import annotations

import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from vss.errors import LocalError
from vss.local.launch import KEEP_LOG_BYTES, launch, log_since, tail
from vss.local.process import ProcessId

# An owner that starts `sleep` on a leash, tells its pid, and does what it is told.
OWNER = """
import signal
import os, sys, time
from pathlib import Path
from vss.local.launch import launch
signal.signal(signal.SIGINT, signal.default_int_handler)  # ignored where the suite runs in the background
launched = launch(["sleep", "600"], working_folder=Path(sys.argv[1]), log_file=Path(sys.argv[1]) / "log", owned=True)
if sys.argv[2] == "fork" and os.fork() == 0:
    os.close(1)
    time.sleep(20)
    os._exit(0)
print(launched.process.pid, flush=True)
if sys.argv[2] == "raise":
    input()
    raise RuntimeError("a crash")
time.sleep(600)
"""


def eventually(condition: Callable[[], bool], within_s: float = 30.0) -> None:
    deadline_s = time.monotonic() + within_s
    while not condition():
        assert time.monotonic() < deadline_s
        time.sleep(0.02)


def owner(folder: Path, how: str) -> tuple[subprocess.Popen[str], ProcessId]:
    process = subprocess.Popen(
        [sys.executable, "-c", OWNER, str(folder), how],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        text=True,
    )
    assert process.stdout is not None
    server = ProcessId.of(int(process.stdout.readline()))
    assert server is not None
    return process, server


@pytest.mark.parametrize("signal_number", [signal.SIGKILL, signal.SIGTERM, signal.SIGINT])
def test_a_killed_owner_leaves_no_server(tmp_path: Path, signal_number: signal.Signals) -> None:
    process, server = owner(tmp_path, "wait")
    assert server.alive()
    process.send_signal(signal_number)
    process.communicate()
    eventually(lambda: not server.alive())


def test_an_owner_that_raises_leaves_no_server(tmp_path: Path) -> None:
    process, server = owner(tmp_path, "raise")
    process.communicate("go on\n")
    assert process.returncode == 1
    eventually(lambda: not server.alive())


def test_a_fork_that_outlives_the_owner_does_not_keep_the_server(tmp_path: Path) -> None:
    process, server = owner(tmp_path, "fork")
    process.kill()
    process.communicate()
    eventually(lambda: not server.alive(), within_s=15.0)


def test_ctrl_c_in_the_terminal_reaches_the_owner_alone(tmp_path: Path) -> None:
    launched = launch(["sleep", "600"], working_folder=tmp_path, log_file=tmp_path / "log", owned=True)
    assert launched.process is not None
    assert launched.leash is not None
    try:
        import os

        groups = {os.getpgid(0), os.getpgid(launched.leash.pid), os.getpgid(launched.process.pid)}
        assert len(groups) == 3
    finally:
        launched.release()
    assert not launched.process.alive()


def test_a_server_that_does_not_want_to_end_is_made_to(tmp_path: Path) -> None:
    stubborn = ["sh", "-c", "trap '' TERM; echo ready; while :; do sleep 1; done"]
    launched = launch(stubborn, working_folder=tmp_path, log_file=tmp_path / "log", owned=True)
    assert launched.process is not None
    eventually(lambda: log_since(tmp_path / "log", 0) == "ready\n")
    launched.release()
    assert not launched.process.alive()


def test_a_detached_server_outlives_the_launch(tmp_path: Path) -> None:
    launched = launch(["sleep", "600"], working_folder=tmp_path, log_file=tmp_path / "log", owned=False)
    assert launched.process is not None
    try:
        assert launched.leash is None
        assert launched.process.alive()
    finally:
        launched.process.send(signal.SIGKILL)
    eventually(lambda: launched.process is not None and not launched.process.alive())


def test_output_is_appended_and_a_long_log_is_turned_over(tmp_path: Path) -> None:
    log = tmp_path / "logs" / "server.log"

    def say(text: str) -> int:
        launched = launch(["echo", text], working_folder=tmp_path, log_file=log, owned=True)
        eventually(lambda: log_since(log, launched.log_start) == f"{text}\n")
        launched.release()
        return launched.log_start

    assert say("one") == 0
    assert say("two") == 4
    assert log.read_text() == "one\ntwo\n"
    with log.open("ab") as content:
        content.truncate(KEEP_LOG_BYTES + 1)
    assert say("three") == 0
    assert log.read_text() == "three\n"
    assert log.with_suffix(".old.log").stat().st_size == KEEP_LOG_BYTES + 1


def test_a_program_that_cannot_be_started_is_an_error_with_its_reason(tmp_path: Path) -> None:
    with pytest.raises(LocalError, match="No such file") as raised:
        launch([str(tmp_path / "missing")], working_folder=tmp_path, log_file=tmp_path / "log", owned=True)
    assert raised.value.fix


def test_the_tail_is_the_last_lines() -> None:
    text = "\n".join(str(number) for number in range(100))
    lines = tail(text).splitlines()
    assert lines[0] == "    80"
    assert lines[-1] == "    99"
