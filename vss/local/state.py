"""`fleet.json`: which ports a folder's Kafka and Redis have, and which processes they are."""

from __future__ import annotations

import json
import os
from dataclasses import asdict, dataclass, replace
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
        owner: Whose death ends the process; None when it stays until `down`.
    """

    ports: tuple[int, ...] = ()
    process: ProcessId | None = None
    owner: ProcessId | None = None

    def alive(self) -> bool:
        """Whether its process runs."""
        return self.process is not None and self.process.alive()

    def doomed(self) -> bool:
        """Whether its owner is dead, so that it is about to be ended, too."""
        return self.owner is not None and not self.owner.alive()


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
            f"{path} cannot be read: {error}", fix=f"remove {path}, or choose another folder with --folder"
        ) from error


def _server(document: dict[str, object]) -> ServerState:
    ports = document["ports"]
    if not isinstance(ports, list) or not all(isinstance(port, int) for port in ports):
        raise ValueError("ports are no list of numbers")
    process = _process(document["process"]) if ports else None
    return ServerState(tuple(ports), process, _process(document["owner"]))


def _process(document: object) -> ProcessId | None:
    if document is None:
        return None
    if not isinstance(document, dict):
        raise ValueError("a process is no table")
    return ProcessId(int(document["pid"]), str(document["started"]))


def write_state(folder: Path, state: FleetState) -> None:
    """Replaces the folder's state in one step, so that a reader never sees half of it."""
    document = {
        name: {
            "ports": list(server.ports),
            "process": asdict(server.process) if server.process else None,
            "owner": asdict(server.owner) if server.owner else None,
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
