"""A process known by its pid and its start, so that one which got a dead one's pid is never taken for it.

Only the standard library where Linux's `/proc` is: every command looks here whether a local fleet runs.
"""

from __future__ import annotations

import os
import signal
import threading
from dataclasses import dataclass
from pathlib import Path

from vss.clock import Clock, Deadline

POLL_S = 0.02


def start_mark(pid: int) -> str | None:
    """What tells this process from every other that ever has the pid; None when it is gone or a zombie.

    On Linux the boot's id and the start in ticks since then, which no change of the wall clock moves; elsewhere the
    time of creation.
    """
    stat = Path(f"/proc/{pid}/stat")
    boot_id = Path("/proc/sys/kernel/random/boot_id")
    if not boot_id.exists():
        return _start_mark_without_proc(pid)
    try:
        # The second field is the program's name in parentheses and may itself hold spaces and parentheses.
        fields = stat.read_text().rpartition(")")[2].split()
    except (FileNotFoundError, ProcessLookupError):
        return None
    state, start_ticks = fields[0], fields[19]
    return None if state in "ZX" else f"{boot_id.read_text().strip()}:{start_ticks}"


def _start_mark_without_proc(pid: int) -> str | None:
    import psutil

    try:
        process = psutil.Process(pid)
        return None if process.status() == psutil.STATUS_ZOMBIE else f"{process.create_time():.2f}"
    except psutil.NoSuchProcess:
        return None


@dataclass(frozen=True, slots=True)
class ProcessId:
    """One process, for ever.

    Attributes:
        pid: Its number, which the system gives to others once it is dead.
        started: Its `start_mark`.
    """

    pid: int
    started: str

    @classmethod
    def of(cls, pid: int) -> ProcessId | None:
        """The process that has the pid now, or None."""
        started = start_mark(pid)
        return None if started is None else cls(pid, started)

    def alive(self) -> bool:
        """Whether this very process runs."""
        return start_mark(self.pid) == self.started

    def send(self, signal_number: signal.Signals) -> None:
        """Signals it, if it is alive."""
        if not self.alive():
            return
        try:
            os.kill(self.pid, signal_number)
        except ProcessLookupError:
            return

    def wait_gone(self, deadline: Deadline) -> bool:
        """Waits until it is dead or the deadline has passed, and returns whether it is dead."""
        never = threading.Event()
        while self.alive():
            if deadline.passed():
                return False
            deadline.clock.wait(never, POLL_S)
        return True

    def stop(self, clock: Clock, grace_s: float) -> None:
        """Asks it to end, and after the grace makes it."""
        self.send(signal.SIGTERM)
        if not self.wait_gone(Deadline.after(grace_s, clock)):
            self.kill(clock)

    def kill(self, clock: Clock) -> None:
        """Ends it without asking, as a crash would."""
        self.send(signal.SIGKILL)
        self.wait_gone(Deadline.after(10.0, clock))
