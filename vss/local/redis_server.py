"""A Redis that keeps its data over restarts."""

from __future__ import annotations

import socket
from collections.abc import Mapping
from pathlib import Path

from vss.local.programs import find_redis
from vss.local.state import REDIS


class RedisServer:
    """Redis on the loopback interface, with an append-only file.

    Args:
        folder: Where its data lies.
        environ: Names where programs are.
    """

    name = REDIS
    port_count = 1

    def __init__(self, folder: Path, environ: Mapping[str, str]) -> None:
        self.folder = folder
        self._environ = environ

    def command(self, ports: tuple[int, ...]) -> list[str]:
        """Program and arguments; the folder is where it is started in, so no path needs quoting."""
        # The append-only file is flushed each second and at a clean end; snapshots beside it would only cost time.
        options = {"port": str(ports[0]), "bind": "127.0.0.1", "appendonly": "yes", "save": "", "dir": "."}
        return [str(find_redis(self._environ)), *(word for k, v in options.items() for word in (f"--{k}", v))]

    def stopped(self) -> None:
        """Nothing is left to do."""

    def answers(self, ports: tuple[int, ...]) -> bool:
        """Whether PING is answered with PONG; while it still loads its data it is not."""
        try:
            with socket.create_connection(("127.0.0.1", ports[0]), timeout=0.5) as connection:
                connection.sendall(b"PING\r\n")
                return connection.recv(16).startswith(b"+PONG")
        except OSError:
            return False
