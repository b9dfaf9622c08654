"""Starts a server's process, tied to this one's life or left to itself."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from vss.errors import LocalError
from vss.local import leash
from vss.local.process import ProcessId

KEEP_LOG_BYTES = 8 * 1024 * 1024
TAIL_LINES = 20


@dataclass(slots=True)
class Launched:
    """A server that was started.

    Attributes:
        process: The server itself; None if it died at once.
        leash: The process that ends the server when we die; None for a detached one.
        log_start: Bytes in the log before the server wrote to it.
    """

    process: ProcessId | None
    leash: subprocess.Popen[str] | None
    log_start: int

    def release(self) -> None:
        """Lets go of the leash, which ends the server if it still runs."""
        if self.leash is None:
            return
        for pipe in (self.leash.stdin, self.leash.stdout, self.leash.stderr):
            if pipe is not None:
                pipe.close()
        self.leash.wait()


def launch(
    command: list[str],
    *,
    working_folder: Path,
    log_file: Path,
    owned: bool,
    environ: Mapping[str, str] | None = None,
) -> Launched:
    """Starts the command with its output appended to the log file.

    Args:
        command: Program and arguments.
        working_folder: Where it runs.
        log_file: Grows; one older file is kept beside it.
        owned: Whether the server dies with this process, by whatever death.
        environ: The server's environment; this process's by default.

    Raises:
        LocalError: The program cannot be started.
    """
    _turn_over(log_file)
    log_start = _log_size(log_file)
    watcher = subprocess.Popen(
        [
            sys.executable,
            "-I",
            "-S",
            leash.__file__,
            str(os.getpid()) if owned else "detached",
            str(log_file),
            *command,
        ],
        cwd=working_folder,
        env=environ,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        start_new_session=True,  # Ctrl-C in the terminal is for us; we then stop the servers in order.
    )
    pid = watcher.stdout.readline().strip() if watcher.stdout else ""
    if not pid:
        _, complaint = watcher.communicate()
        raise LocalError(
            f"{command[0]} cannot be started:\n{tail(complaint)}",
            fix="check that the program is there and may be run",
        )
    launched = Launched(ProcessId.of(int(pid)), watcher, log_start)
    if owned:
        return launched
    launched.release()
    return Launched(launched.process, None, log_start)


def _turn_over(log_file: Path) -> None:
    log_file.parent.mkdir(parents=True, exist_ok=True)
    if log_file.exists() and log_file.stat().st_size > KEEP_LOG_BYTES:
        log_file.replace(log_file.with_suffix(".old.log"))


def _log_size(log_file: Path) -> int:
    return log_file.stat().st_size if log_file.exists() else 0


def log_since(log_file: Path, start_bytes: int) -> str:
    """What was logged after that point."""
    if not log_file.exists():
        return ""
    with log_file.open("rb") as log:
        log.seek(start_bytes)
        return log.read().decode(errors="replace")


def tail(text: str) -> str:
    """The last lines, indented to stand below a message."""
    return "\n".join(f"    {line}" for line in text.splitlines()[-TAIL_LINES:])
