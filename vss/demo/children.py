"""The demo's processes: the same commands a user runs, each with a log of its own, none of which outlives the demo."""

from __future__ import annotations

import json
import os
import sys
import threading
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from vss.clock import Clock, Deadline
from vss.errors import VssError
from vss.local.launch import Launched, launch, log_since, tail

_POLL_S = 0.05


class ChildEnded(VssError):
    """A process of the demo ended before its time."""


@dataclass(slots=True)
class Child:
    """One process.

    Attributes:
        name: What the demo calls it.
        kind: `camera`, `sensor`, `detect`, `anomaly`, `quality` or `cache`.
        log_file: Where its output goes.
        metrics_port: Where its `/metrics` is; None until its log has said so.
    """

    name: str
    kind: str
    log_file: Path
    _launched: Launched = field(repr=False)
    metrics_port: int | None = None

    @property
    def pid(self) -> int | None:
        """Of the process; None when it died at once."""
        return self._launched.process.pid if self._launched.process is not None else None

    @property
    def log(self) -> str:
        """What it has said so far."""
        return log_since(self.log_file, 0)

    def alive(self) -> bool:
        """Whether it runs."""
        return self._launched.process is not None and self._launched.process.alive()

    def find_metrics_port(self) -> int | None:
        """Reads its log until the line with the port is there."""
        if self.metrics_port is None:
            for line in self.log.splitlines():
                if '"serving metrics"' in line:
                    self.metrics_port = int(json.loads(line)["port"])
        return self.metrics_port

    def ended(self) -> ChildEnded:
        """What to say when it is dead and should not be."""
        said = self.log.strip()
        about = f"its last lines:\n{tail(said)}" if said else "it said nothing"
        return ChildEnded(f"{self.name} ended before its time; {about}", fix=f"read {self.log_file}")

    def stop(self, clock: Clock, grace_s: float) -> None:
        """Ends it cleanly if it does so in time."""
        if self._launched.process is not None:
            self._launched.process.stop(clock, grace_s)
        self._launched.release()


class Children:
    """Starts and stops the processes. A context manager; at its end none is left.

    Args:
        folder: Where they run and where their logs go.
        environ: Their environment.
        clock: For waits.
    """

    def __init__(self, folder: Path, *, environ: Mapping[str, str], clock: Clock) -> None:
        self._folder = folder
        self._clock = clock
        self._environ = environ
        self.all: list[Child] = []

    def __enter__(self) -> Children:
        return self

    def __exit__(self, *_: object) -> None:
        self.stop(self.all)

    def start(
        self,
        name: str,
        kind: str,
        arguments: Sequence[str],
        *,
        pipe: Path | None = None,
        environ: Mapping[str, str] | None = None,
    ) -> Child:
        """Runs `vss ARGUMENTS`.

        Args:
            name: What the demo calls it.
            kind: See `Child`.
            arguments: Of the command.
            pipe: What its standard input is; nothing by default.
            environ: Its environment; by default that of all.
        """
        log_file = self._folder / "logs" / f"{name}.log"
        log_file.unlink(missing_ok=True)
        command = [sys.executable, "-c", "from vss.cli.main import main; main()", *arguments]
        if pipe is not None:
            # As a shell would: it waits for who writes, becomes the command and leaves it the pipe.
            command = ["sh", "-c", 'pipe=$1; shift; exec "$@" < "$pipe"', "sh", str(pipe), *command]
        launched = launch(
            command,
            working_folder=self._folder,
            log_file=log_file,
            owned=True,
            environ=environ if environ is not None else self._environ,
        )
        child = Child(name, kind, log_file, launched)
        self.all.append(child)
        return child

    def of(self, kind: str) -> list[Child]:
        """Those of a kind."""
        return [child for child in self.all if child.kind == kind]

    def wait_for_ports(self, children: Sequence[Child], timeout_s: float) -> None:
        """Returns once each serves its metrics, which it does when it has started.

        Raises:
            ChildEnded: One ended, or was not there in time.
        """
        deadline = Deadline.after(timeout_s, self._clock)
        never = threading.Event()
        while True:
            waiting = [child for child in children if child.find_metrics_port() is None]
            if not waiting:
                return
            for child in waiting:
                if not child.alive() or deadline.passed():
                    raise child.ended()
            self._clock.wait(never, _POLL_S)

    def stop(self, children: Sequence[Child], grace_s: float = 6.0) -> None:
        """Ends them side by side."""
        threads = [threading.Thread(target=child.stop, args=(self._clock, grace_s)) for child in children]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()


def usable_cores() -> int:
    """Cores this process may run on."""
    affinity = getattr(os, "sched_getaffinity", None)
    return len(affinity(0)) if affinity is not None else os.cpu_count() or 1
