"""What the fleet asks of a server, whichever it is."""

from __future__ import annotations

from pathlib import Path
from typing import Protocol


class Server(Protocol):
    """One program the fleet can run.

    Attributes:
        name: `kafka` or `redis`: its key in `fleet.json`, its folder, its log.
        port_count: How many ports it listens on; the first is for clients.
        folder: Where it runs and keeps its data.
    """

    name: str
    port_count: int
    folder: Path

    def command(self, ports: tuple[int, ...]) -> list[str]:
        """Makes everything ready to start on these ports, and returns program and arguments.

        Raises:
            LocalError: Something it needs is missing.
        """

    def stopped(self) -> None:
        """Called when it was stopped, not when it crashed; returns at once."""

    def answers(self, ports: tuple[int, ...]) -> bool:
        """Whether it serves clients; returns within a second."""
