"""Runs one server for as long as its owner lives: the program `launch.py` starts, never an import.

It stands alone on the standard library, because it runs as `python -I -S` to be up in a few milliseconds. Its standard
input is a pipe that the owner holds open and never writes to. However the owner dies, the system closes the pipe; the
owner's id is watched beside it, for a fork of the owner may have kept the pipe open. Neither asks for more than POSIX.

    leash.py OWNER_PID|detached LOG_FILE COMMAND …

prints the server's pid. `detached` leaves the server to itself and ends at once, so that it is nobody's child.
"""

from __future__ import annotations

import os
import select
import signal
import subprocess
import sys
from pathlib import Path
from types import FrameType

POLL_S = 0.25
GRACE_S = 5.0


def end(server: subprocess.Popen[bytes]) -> None:
    """Stops the server cleanly if it does so in time."""
    server.terminate()
    try:
        server.wait(GRACE_S)
    except subprocess.TimeoutExpired:
        server.kill()
        server.wait()


def interrupted(_signal_number: int, _frame: FrameType | None) -> None:
    """Turns a signal into an exit that passes through `finally`."""
    raise SystemExit(0)


def main(owner: str, log_file: str, command: list[str]) -> None:
    """Starts the server and watches over it."""
    signal.signal(signal.SIGTERM, interrupted)
    with Path(log_file).open("ab") as log:
        server = subprocess.Popen(
            command, stdin=subprocess.DEVNULL, stdout=log, stderr=subprocess.STDOUT, start_new_session=True
        )
    sys.stdout.write(f"{server.pid}\n")
    sys.stdout.flush()
    if owner == "detached":
        # The server is meant to outlive us, which Python would take for a forgotten child.
        os._exit(0)
    try:
        while server.poll() is None:
            closed, _, _ = select.select([sys.stdin], [], [], POLL_S)
            if closed or os.getppid() != int(owner):
                break
    finally:
        end(server)


if __name__ == "__main__":
    main(sys.argv[1], sys.argv[2], sys.argv[3:])
