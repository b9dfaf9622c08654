"""`fleet.json`: which ports a folder's Kafka and Redis have, and which processes they are."""

from __future__ import annotations

import json
import os
from dataclasses import dataclass, replace
from pathlib import Path

from vss.errors import LocalError
from vss.local.process import ProcessId

STATE_FILE = "fleet.json"
KAFKA = "kafka"
REDIS = "redis"


@dataclass(frozen=True, slots=True)
class Addresses:
    """Where the fleet answers; empty for a server that does not run.

    Attributes:
        bootstrap_servers: `host:port` of the broker, for any Kafka client.
        redis_url: `redis://host:port/0`.
    """

    bootstrap_servers: str
    redis_url: str


@dataclass(frozen=True, slots=True)
class ServerState:
    """One server of the folder.

    Attributes:
        ports: The port for clients first; chosen once and kept over `down` and `up`.
        process: The process last started, dead or alive.
    """

    ports: tuple[int, ...] = ()
    process: ProcessId | None = None

    def alive(self) -> bool:
        """Whether its process runs."""
        return self.process is not None and self.process.alive()


@dataclass(frozen=True, slots=True)
class FleetState:
    """What `fleet.json` holds."""

    kafka: ServerState = ServerState()
    redis: ServerState = ServerState()

    def server(self, name: str) -> ServerState:
        """The server of that name."""
        return self.kafka if name == KAFKA else self.redis

    def with_server(self, name: str, server: ServerState) -> FleetState:
        """The same with one server replaced."""
        return replace(self, kafka=server) if name == KAFKA else replace(self, redis=server)

    def addresses(self) -> Addresses:
        """Where the servers that run answer."""
        return Addresses(
            bootstrap_servers=f"127.0.0.1:{self.kafka.ports[0]}" if self.kafka.alive() else "",
            redis_url=f"redis://127.0.0.1:{self.redis.ports[0]}/0" if self.redis.alive() else "",
        )


def read_state(folder: Path) -> FleetState:
    """Reads the folder's state; an empty one where no fleet ever ran.

    Raises:
        LocalError: The file is there and not ours.
    """
    path = folder / STATE_FILE
    try:
        document = json.loads(path.read_text())
        return FleetState(kafka=_server(document[KAFKA]), redis=_server(document[REDIS]))
    except (FileNotFoundError, NotADirectoryError):
        return FleetState()
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise LocalError(
            f"{path} cannot be read: {error}", fix=f"Remove {path}, or choose another folder with --folder."
        ) from error


def _server(document: dict[str, object]) -> ServerState:
    ports, pid, started = document["ports"], document["pid"], document["started"]
    if not isinstance(ports, list) or not all(isinstance(port, int) for port in ports):
        raise ValueError("ports are no list of numbers")
    process = ProcessId(pid, started) if isinstance(pid, int) and isinstance(started, str) and ports else None
    return ServerState(tuple(ports), process)


def write_state(folder: Path, state: FleetState) -> None:
    """Replaces the folder's state in one step, so that a reader never sees half of it."""
    document = {
        name: {
            "ports": list(server.ports),
            "pid": server.process.pid if server.process else None,
            "started": server.process.started if server.process else None,
        }
        for name, server in ((KAFKA, state.kafka), (REDIS, state.redis))
    }
    path = folder / STATE_FILE
    half = path.with_suffix(f".{os.getpid()}.tmp")
    half.write_text(json.dumps(document, indent=1) + "\n")
    half.replace(path)


def running(folder: Path) -> Addresses | None:
    """Where the folder's fleet answers, or None when no process of it is alive.

    Cheap enough for the start of every command: one small file and `/proc`, nothing but the standard library.
    """
    try:
        addresses = read_state(folder).addresses()
    except LocalError:
        return None
    return addresses if addresses.bootstrap_servers or addresses.redis_url else None
