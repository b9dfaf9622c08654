"""The demo from the first frame to the last outcome: starts the sources, watches over processes, waits for the rest."""

from __future__ import annotations

import threading
from collections.abc import Callable
from dataclasses import dataclass, field

from vss.clock import Clock, Deadline
from vss.demo.board import Board, Snapshot
from vss.demo.children import Children
from vss.demo.live import View

_LOOK_EVERY_S = 0.3
_START_S = 60.0
_NEVER = threading.Event()
_SOURCES = ("camera", "sensor")


@dataclass(frozen=True, slots=True)
class Played:
    """How it went.

    Attributes:
        first: What was seen when everything ran.
        last: What was seen at the end.
        ran_s: How long the sources ran.
        took_s: Until the last outcome, or until nobody waited any longer.
        problems: Processes that ended before their time, in sentences.
    """

    first: Snapshot
    last: Snapshot
    ran_s: float
    took_s: float
    problems: tuple[str, ...]


@dataclass(slots=True)
class Show:
    """Plays one demo.

    Attributes:
        view: Shows it.
        board: Gathers what is shown.
        children: The processes; workers run already.
        start_sources: Starts the cameras and the pump's sensor.
        begin: Told when all of them run and each camera has had an outcome.
        end: Told when the sources shall end.
        seconds: That the sources run.
        drain_s: How long the last frames may take once the sources have stopped.
        clock: Time.
        stop: Ends it early when set.
    """

    view: View
    board: Board
    children: Children
    start_sources: Callable[[], None]
    begin: Callable[[], None]
    end: Callable[[], None]
    seconds: float
    drain_s: float
    clock: Clock
    stop: threading.Event
    _ended: dict[str, str] = field(default_factory=dict)

    def play(self) -> Played:
        """Plays it.

        Raises:
            ChildEnded: A process ended before the first frame, so there is nothing to show.
        """
        self._wait_until("workers join", lambda snapshot: all(worker.partitions for worker in snapshot.workers))
        self.start_sources()
        self._wait_until("cameras start", _all_send)
        self.begin()
        first = self._look("running", 0.0)
        started_s = self.clock.monotonic()
        while (left_s := self.seconds - (self.clock.monotonic() - started_s)) > 0:
            self._look("running", self.seconds - left_s)
            if not self._served() or self.clock.wait(self.stop, min(_LOOK_EVERY_S, left_s)):
                break
        ran_s = self.clock.monotonic() - started_s
        self.end()
        self.children.stop([child for kind in _SOURCES for child in self.children.of(kind)])
        patience = Deadline.after(self.drain_s, self.clock)
        while (last := self._look("finishing", self.clock.monotonic() - started_s)).waiting:
            if not self._served() or patience.passed():
                break
            self.clock.wait(_NEVER, 0.1)
        return Played(first, last, ran_s, self.clock.monotonic() - started_s, tuple(self._ended.values()))

    def _wait_until(self, phase: str, reached: Callable[[Snapshot], bool]) -> None:
        """Workers that hold partitions and cameras that send before the time counts."""
        patience = Deadline.after(_START_S, self.clock)
        while not reached(self._look(phase, 0.0)):
            for child in self.children.all:
                if not child.alive():
                    raise child.ended()
            if patience.passed() or self.clock.wait(self.stop, 0.1):
                return

    def _look(self, phase: str, elapsed_s: float) -> Snapshot:
        stopping = phase == "finishing"
        for child in self.children.all:
            if child.name not in self._ended and not child.alive() and not (stopping and child.kind in _SOURCES):
                self._ended[child.name] = str(child.ended())
        snapshot = self.board.look(phase, elapsed_s, self.seconds)
        self.view.show(snapshot)
        return snapshot

    def _served(self) -> bool:
        """Whether anybody is left to make outcomes."""
        return any(child.alive() for child in self.children.of("detect"))


def _all_send(snapshot: Snapshot) -> bool:
    return snapshot.seen.pump.readings > 0 and all(camera.events for camera in snapshot.seen.cameras)
