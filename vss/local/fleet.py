"""A folder's Kafka and Redis: up, down, and everything a test of failure does to them."""

from __future__ import annotations

import contextlib
import fcntl
import os
import random
import sys
import threading
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType

from vss.clock import Clock, Deadline, SystemClock
from vss.errors import LocalError
from vss.local.jars import JarCache
from vss.local.kafka_broker import KafkaBroker
from vss.local.launch import Launched, launch, log_since, tail
from vss.local.ports import free_ports
from vss.local.process import ProcessId
from vss.local.redis_server import RedisServer
from vss.local.server import Server
from vss.local.state import KAFKA, REDIS, Addresses, FleetState, ServerState, read_state, write_state

READY_TIMEOUT_S = 60.0
LOCK_TIMEOUT_S = 180.0
STOP_GRACE_S = 15.0
POLL_S = 0.05
START_ATTEMPTS = 3
PORT_TAKEN = ("Address already in use", "Address in use", "BindException")
# Of Kafka's own records of topics and brokers, which it finds written in a later format than it knows.
WRITTEN_BY_NEWER_KAFKA = "UnsupportedVersionException: Can't read version"


@dataclass(frozen=True, slots=True)
class ServerStatus:
    """How one server is.

    Attributes:
        name: `kafka` or `redis`.
        running: Its process is alive.
        answering: It serves clients.
        pid: Of the process, None when it does not run.
        port: Where clients reach it; None before the first start.
        log_file: Where its output goes.
    """

    name: str
    running: bool
    answering: bool
    pid: int | None
    port: int | None
    log_file: Path


class PortTaken(LocalError):
    """Another program came first to a port the server was to listen on."""


class LocalFleet:
    """A real Kafka and a real Redis in a folder.

    As a context manager, or with `owned=True`, the servers live no longer than this process, however it dies. With
    `owned=False` they stay until somebody calls `down` on the folder.

    Every method may be called at once by several processes on the same folder: one waits for the other.

    Args:
        folder: Data, logs and `fleet.json`; made when missing.
        owned: Whether the servers die with this process.
        jars: Where the broker's program is; by default the user's cache.
        environ: The environment that names caches, mirrors, Java and Redis.
        clock: For the waits.
        rng: Where ports come from.
    """

    def __init__(
        self,
        folder: Path,
        *,
        owned: bool = True,
        jars: JarCache | None = None,
        environ: Mapping[str, str] | None = None,
        clock: Clock | None = None,
        rng: random.Random | None = None,
    ) -> None:
        environ = os.environ if environ is None else environ
        self.folder = folder.absolute()
        self._owned = owned
        self._clock = clock or SystemClock()
        self._rng = rng or random.SystemRandom()
        jars = jars or JarCache.from_environment(environ, out=sys.stderr, clock=self._clock)
        self._servers: dict[str, Server] = {
            REDIS: RedisServer(self.folder / REDIS, environ),
            KAFKA: KafkaBroker(self.folder / KAFKA, jars, environ),
        }
        self._launched: dict[str, Launched] = {}

    def __enter__(self) -> LocalFleet:
        self.up()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        # What was running before we came is not ours to stop.
        self._stop(list(self._launched))

    @property
    def addresses(self) -> Addresses:
        """Where the servers that run answer."""
        return read_state(self.folder).addresses()

    def log_file(self, name: str) -> Path:
        """Where the output of `kafka` or `redis` goes."""
        return self.folder / "logs" / f"{name}.log"

    def up(self, *, kafka: bool = True, redis: bool = True) -> Addresses:
        """Starts what does not run yet, and returns once all of it answers.

        Args:
            kafka: Whether the broker is wanted.
            redis: Whether Redis is wanted.

        Raises:
            LocalError: A server could not be installed or started; what this call started is stopped again.
        """
        wanted = [name for name, is_wanted in ((REDIS, redis), (KAFKA, kafka)) if is_wanted]
        with self._locked():
            started: list[str] = []
            try:
                for name in wanted:
                    state = read_state(self.folder).server(name)
                    if state.process is not None and state.doomed():
                        state.process.stop(self._clock, STOP_GRACE_S)
                    if state.process is not None and state.alive():
                        # Whoever started it may have died before it was ready.
                        self._wait_ready(name, state.ports, state.process, log_start=0)
                    else:
                        started.append(name)
                        self._start(name)
            except BaseException:
                self._stop_locked(started)
                raise
            return self.addresses

    def down(self) -> None:
        """Stops both servers, whoever started them; the data stays."""
        if self.folder.exists():
            self._stop([KAFKA, REDIS])

    def status(self) -> tuple[ServerStatus, ServerStatus]:
        """How Kafka and Redis are, in this order."""
        state = read_state(self.folder)
        return self._status(KAFKA, state.kafka), self._status(REDIS, state.redis)

    def kill_broker(self) -> None:
        """Ends the broker as a crash would (SIGKILL)."""
        self._kill(KAFKA)

    def restart_broker(self) -> None:
        """Starts the broker again on the same port with the same data, after a clean stop if it still runs."""
        self._restart(KAFKA)

    def kill_redis(self) -> None:
        """Ends Redis as a crash would (SIGKILL)."""
        self._kill(REDIS)

    def restart_redis(self) -> None:
        """Starts Redis again on the same port with the same data, after a clean stop if it still runs."""
        self._restart(REDIS)

    def _status(self, name: str, state: ServerState) -> ServerStatus:
        alive = state.alive()
        return ServerStatus(
            name=name,
            running=alive,
            answering=alive and self._servers[name].answers(state.ports),
            pid=state.process.pid if state.process is not None and alive else None,
            port=state.ports[0] if state.ports else None,
            log_file=self.log_file(name),
        )

    def _kill(self, name: str) -> None:
        with self._locked():
            process = read_state(self.folder).server(name).process
            if process is not None:
                process.kill(self._clock)
            self._release(name)

    def _restart(self, name: str) -> None:
        with self._locked():
            self._stop_locked([name])
            ports = read_state(self.folder).server(name).ports
            if not ports:
                raise LocalError(f"{name} was never started in {self.folder}", fix="run `vss up` first")
            self._start_on(name, ports)

    def _start(self, name: str) -> None:
        """Starts on the ports of last time where they are free, and on others where they are not."""
        server = self._servers[name]
        for attempt in range(START_ATTEMPTS):
            wanted = read_state(self.folder).server(name).ports if attempt == 0 else ()
            try:
                self._start_on(name, free_ports(server.port_count, self._rng, wanted=wanted))
                return
            except PortTaken:
                # Between our look and the server's another program came. Other ports, then.
                if attempt + 1 == START_ATTEMPTS:
                    raise

    def _start_on(self, name: str, ports: tuple[int, ...]) -> None:
        server = self._servers[name]
        try:
            server.folder.mkdir(parents=True, exist_ok=True)
            command = server.command(ports)
            launched = launch(command, working_folder=server.folder, log_file=self.log_file(name), owned=self._owned)
            self._launched[name] = launched
            # Written before it is ready, so that `down` finds it even if we are killed while we wait.
            owner = ProcessId.of(os.getpid()) if self._owned else None
            self._remember(name, ServerState(ports, launched.process, owner))
        except OSError as error:
            raise self._unwritable(error) from error
        try:
            self._wait_ready(name, ports, launched.process, log_start=launched.log_start)
        except LocalError:
            self._stop_locked([name])
            raise

    def _wait_ready(self, name: str, ports: tuple[int, ...], process: ProcessId | None, *, log_start: int) -> None:
        deadline = Deadline.after(READY_TIMEOUT_S, self._clock)
        never = threading.Event()
        while True:
            answers = self._servers[name].answers(ports)
            # In this order: another program may answer on a port that ours could not get.
            alive = process is not None and process.alive()
            if answers and alive:
                return
            if not alive or deadline.passed():
                raise self._failed(name, log_since(self.log_file(name), log_start), ended=not alive)
            self._clock.wait(never, POLL_S)

    def _failed(self, name: str, log: str, *, ended: bool) -> LocalError:
        if WRITTEN_BY_NEWER_KAFKA in log:
            return LocalError(
                f"the data in {self._servers[name].folder} were written by a newer Kafka than this one",
                fix=f"remove {self._servers[name].folder} to start afresh, or choose another folder with --folder",
            )
        how = "ended while it started" if ended else f"did not answer within {READY_TIMEOUT_S:.0f} s"
        kind = PortTaken if any(sign in log for sign in PORT_TAKEN) else LocalError
        return kind(
            f"{name} {how}; its last lines:\n{tail(log)}",
            fix=f"read {self.log_file(name)}; removing {self._servers[name].folder} starts it afresh",
        )

    def _unwritable(self, error: OSError) -> LocalError:
        return LocalError(
            f"the folder {error.filename or self.folder} cannot be written: {error.strerror}",
            fix="choose a folder you may write to with --folder or VSS_HOME",
        )

    def _stop(self, names: list[str]) -> None:
        with self._locked():
            self._stop_locked(names)

    def _stop_locked(self, names: list[str]) -> None:
        """Stops the servers side by side and forgets their processes, not their ports."""
        threads = [threading.Thread(target=self._stop_one, args=(name,)) for name in names]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        for name in names:
            self._remember(name, ServerState(read_state(self.folder).server(name).ports))

    def _stop_one(self, name: str) -> None:
        process: ProcessId | None = read_state(self.folder).server(name).process
        if process is not None:
            process.stop(self._clock, STOP_GRACE_S)
        self._release(name)
        with contextlib.suppress(LocalError, OSError):  # a matter of the next start's speed alone
            self._servers[name].stopped()

    def _release(self, name: str) -> None:
        if (launched := self._launched.pop(name, None)) is not None:
            launched.release()

    def _remember(self, name: str, server: ServerState) -> None:
        state: FleetState = read_state(self.folder)
        write_state(self.folder, state.with_server(name, server))

    @contextmanager
    def _locked(self) -> Iterator[None]:
        """Holds the folder; whoever else wants it waits."""
        try:
            self.folder.mkdir(parents=True, exist_ok=True)
            lock_file = (self.folder / "fleet.lock").open("w")
        except OSError as error:
            raise self._unwritable(error) from error
        deadline = Deadline.after(LOCK_TIMEOUT_S, self._clock)
        never = threading.Event()
        with lock_file:
            while True:
                try:
                    fcntl.flock(lock_file, fcntl.LOCK_EX | fcntl.LOCK_NB)
                    break
                except BlockingIOError:
                    if deadline.passed():
                        raise LocalError(
                            f"another process has held {self.folder} for {LOCK_TIMEOUT_S:.0f} s",
                            fix="wait until its `vss up` or `vss down` is done, or choose another folder",
                        ) from None
                    self._clock.wait(never, POLL_S)
            yield
