"""A process is known for ever, not only until its pid is given to another."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from collections.abc import Iterator

import pytest

from vss.clock import Deadline, SystemClock
from vss.local.process import ProcessId, start_mark


@pytest.fixture
def sleeper() -> Iterator[subprocess.Popen[bytes]]:
    with subprocess.Popen(["sleep", "600"]) as process:
        yield process
        process.kill()


@pytest.fixture
def stubborn() -> Iterator[subprocess.Popen[bytes]]:
    """A process that does not end when asked to."""
    program = "import signal, time; signal.signal(signal.SIGTERM, signal.SIG_IGN); print(flush=True); time.sleep(600)"
    with subprocess.Popen([sys.executable, "-c", program], stdout=subprocess.PIPE) as process:
        assert process.stdout is not None
        process.stdout.readline()
        yield process
        process.kill()


def test_a_running_process_is_alive_and_known_again(sleeper: subprocess.Popen[bytes]) -> None:
    process = ProcessId.of(sleeper.pid)
    assert process is not None
    assert process.alive()
    assert process == ProcessId.of(sleeper.pid)


def test_another_process_with_the_same_pid_is_not_taken_for_it(sleeper: subprocess.Popen[bytes]) -> None:
    earlier = ProcessId(sleeper.pid, "of an earlier boot:1")
    assert not earlier.alive()
    earlier.kill(SystemClock())
    assert sleeper.poll() is None


def test_a_zombie_is_dead(sleeper: subprocess.Popen[bytes]) -> None:
    process = ProcessId.of(sleeper.pid)
    assert process is not None
    os.kill(sleeper.pid, signal.SIGKILL)
    os.waitid(os.P_PID, sleeper.pid, os.WEXITED | os.WNOWAIT)  # it has ended, and nobody has taken note
    assert not process.alive()
    assert ProcessId.of(sleeper.pid) is None


def test_no_process_has_a_pid_that_was_never_given() -> None:
    assert start_mark(2**22 + 1) is None


def test_stop_asks_first(sleeper: subprocess.Popen[bytes]) -> None:
    process = ProcessId.of(sleeper.pid)
    assert process is not None
    process.stop(SystemClock(), grace_s=60.0)
    assert not process.alive()
    assert sleeper.wait() == -signal.SIGTERM
    process.stop(SystemClock(), grace_s=60.0)  # and again does nothing


def test_stop_makes_it_when_asking_does_not_help(stubborn: subprocess.Popen[bytes]) -> None:
    process = ProcessId.of(stubborn.pid)
    assert process is not None
    process.stop(SystemClock(), grace_s=0.2)
    assert stubborn.wait() == -signal.SIGKILL


def test_waiting_for_the_end_gives_up_at_the_deadline(sleeper: subprocess.Popen[bytes]) -> None:
    process = ProcessId.of(sleeper.pid)
    assert process is not None
    assert not process.wait_gone(Deadline.after(0.1, SystemClock()))


def test_a_name_with_spaces_and_parentheses_confuses_nobody() -> None:
    program = "open('/proc/self/comm', 'w').write('a) Z (b'); print(flush=True); input()"
    with subprocess.Popen([sys.executable, "-c", program], stdin=subprocess.PIPE, stdout=subprocess.PIPE) as process:
        assert process.stdout is not None
        process.stdout.readline()
        assert start_mark(process.pid) is not None
        process.kill()


def test_where_there_is_no_proc_the_time_of_creation_serves(sleeper: subprocess.Popen[bytes]) -> None:
    from vss.local.process import _start_mark_without_proc

    mark = _start_mark_without_proc(sleeper.pid)
    assert mark == _start_mark_without_proc(sleeper.pid)
    assert mark is not None
    assert _start_mark_without_proc(2**22 + 1) is None
