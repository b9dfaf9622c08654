"""Lets the pump run beside the demo and writes what it measures into a pipe, for `vss sensor pump -` to read."""

from __future__ import annotations

import json
import os
import threading
from pathlib import Path
from types import TracebackType
from typing import Final

from vss.clock import Clock
from vss.demo.pump import PERIOD_MS
from vss.demo.pump.pump import Fault, Pump

_RETRY_S: Final = 0.05


class PumpFeed:
    """The pump on a thread of its own. A context manager.

    It runs from when somebody opens the pipe to read. Readings are a period apart on its clock, whatever the thread
    was kept from; so they depend on the seed and on when the fault starts, and on nothing else.

    Args:
        pipe: Named pipe to make and write to, a JSON object a line.
        seed: Of the pump.
        clock: Time.
    """

    def __init__(self, pipe: Path, *, seed: int, clock: Clock) -> None:
        self._pipe = pipe
        self._seed = seed
        self._clock = clock
        self._stop = threading.Event()
        self._lock = threading.Lock()
        self._fault_ms: int | None = None
        self._thread = threading.Thread(target=self._run, name="pump", daemon=True)

    def __enter__(self) -> PumpFeed:
        self._pipe.unlink(missing_ok=True)
        os.mkfifo(self._pipe)
        self._thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.stop()
        self._pipe.unlink(missing_ok=True)

    @property
    def fault_ms(self) -> int | None:
        """When the fault starts, milliseconds since the epoch; None while nobody has asked for one."""
        with self._lock:
            return self._fault_ms

    def break_in(self, seconds: float) -> None:
        """Has the bearing's fault start so long from now."""
        with self._lock:
            self._fault_ms = self._clock.now_ns() // 1_000_000 + round(seconds * 1000)

    def stop(self) -> None:
        """Stops the pump and closes the pipe."""
        self._stop.set()
        self._thread.join(5.0)

    def _run(self) -> None:
        if (pipe := self._open()) is None:
            return
        pump = Pump(self._seed)
        start_ms = due_ms = self._clock.now_ns() // 1_000_000
        try:
            while not self._clock.wait(self._stop, max(0.0, due_ms / 1000 - self._clock.now_ns() / 1e9)):
                with self._lock:
                    fault = Fault((self._fault_ms - start_ms) / 1000) if self._fault_ms is not None else None
                severity = fault.severity((due_ms - start_ms) / 1000) if fault is not None else 0.0
                line = json.dumps({"ts": due_ms, **pump.step(severity).values}) + "\n"
                self._write(pipe, line.encode())
                due_ms += PERIOD_MS
        except BrokenPipeError:
            return  # the sensor is gone, and the demo says so
        finally:
            os.close(pipe)

    def _open(self) -> int | None:
        """The pipe, once somebody reads from it; None when told to stop before."""
        while not self._stop.is_set():
            try:
                return os.open(self._pipe, os.O_WRONLY | os.O_NONBLOCK)
            except OSError:  # nobody reads yet
                self._clock.wait(self._stop, _RETRY_S)
        return None

    def _write(self, pipe: int, line: bytes) -> None:
        # Shorter than PIPE_BUF, so it is written whole or not at all.
        while not self._stop.is_set():
            try:
                os.write(pipe, line)
            except BlockingIOError:
                self._clock.wait(self._stop, _RETRY_S)
            else:
                return
