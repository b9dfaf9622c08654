"""Threads that models run on, and what becomes of one that does not come back.

A call into a runtime cannot be ended from outside, only asked to end. So a thread whose work takes longer than it may
is given up: its work is told (which fails the records and fires the call's `Interrupt`), and a fresh thread takes its
place. Whether and when the old one comes back is nobody's concern; it then ends. How many may be lost at once is
bounded, for each holds memory and perhaps a core: beyond that the pool says that it is not well, and only a new process
helps.
"""

from __future__ import annotations

import contextlib
import threading
import time
from collections.abc import Callable
from queue import Empty, SimpleQueue
from typing import Final, Protocol

from vss.clock import Clock, SystemClock

DEFAULT_LIMIT_S: Final = 30.0
MAX_LOST: Final = 4
# What is still under way then is left behind: its records are read again, and the process ends.
_CLOSE_S: Final = 3.0


class Work(Protocol):
    """Something for a thread to do."""

    def run(self) -> None:
        """Does it, and tells whoever waits what came of it: what this raises is lost."""

    def expire(self, limit_s: float) -> None:
        """`run` is under way for longer than it may be. Called once, from another thread; must not wait."""

    def drop(self) -> None:
        """`run` will not be called: the threads are gone."""


class Threads(Protocol):
    """Where work is done; `WorkThreads`, or in tests whatever decides itself when."""

    def submit(self, work: Work) -> None:
        """Has it done, in the order of submission. Returns at once."""

    def at_least(self, count: int) -> None:
        """Sees to it that so many can be done side by side."""

    def problems(self) -> list[str]:
        """Why work is not done as it should be; empty when all is well."""

    def close(self) -> None:
        """Drops what has not started and waits a little for the rest. Idempotent."""


class _Worker:
    """One thread and what it does now."""

    def __init__(self) -> None:
        self.lock = threading.Lock()
        self.thread: threading.Thread | None = None
        self.work: Work | None = None
        self.since_s = 0.0
        self.lost = False

    def begin(self, work: Work, now_s: float) -> None:
        with self.lock:
            self.work, self.since_s = work, now_s

    def end(self) -> bool:
        """Returns whether the thread has been given up."""
        with self.lock:
            self.work = None
            return self.lost

    def give_up_after(self, limit_s: float, now_s: float) -> tuple[Work | None, float]:
        """The work that takes too long, else none; and how long it may go on, seconds."""
        with self.lock:
            if self.work is None or self.lost:
                return None, limit_s
            left_s = self.since_s + limit_s - now_s
            if left_s > 0:
                return None, left_s
            self.lost = True
            return self.work, limit_s


class WorkThreads:
    """Daemon threads that share one queue (see `Threads`).

    Args:
        count: Threads at first.
        name: What they are called.
        limit_s: How long one piece of work may take.
        max_lost: Threads that may hang at once before no other takes their place.
        clock: For the limit.
        prepare: Called by each thread before it works.
    """

    def __init__(
        self,
        count: int = 0,
        *,
        name: str = "model",
        limit_s: float = DEFAULT_LIMIT_S,
        max_lost: int = MAX_LOST,
        clock: Clock | None = None,
        prepare: Callable[[], None] = lambda: None,
    ) -> None:
        self._name = name
        self._limit_s = limit_s
        self._max_lost = max_lost
        self._clock: Clock = clock if clock is not None else SystemClock()
        self._prepare = prepare
        self._queue: SimpleQueue[Work | None] = SimpleQueue()
        self._lock = threading.Lock()
        self._wanted = 0
        self._workers: list[_Worker] = []
        self._lost: list[_Worker] = []
        self._closed = False
        self._stop = threading.Event()
        self._watchdog: threading.Thread | None = None
        self.at_least(count)

    def submit(self, work: Work) -> None:
        """See `Threads.submit`."""
        with self._lock:
            if not self._closed:
                self._queue.put(work)
                return
        work.drop()

    def at_least(self, count: int) -> None:
        """See `Threads.at_least`."""
        with self._lock:
            self._wanted = max(self._wanted, count)
            self._fill()

    def problems(self) -> list[str]:
        """See `Threads.problems`."""
        with self._lock:
            lost = len(self._lost)
        if lost < self._max_lost:
            return []
        return [f"{lost} {self._name} threads hang in work that was given up after {self._limit_s:g} s"]

    def check(self) -> float:
        """Gives up what takes too long.

        Returns:
            Seconds after which the next can be due: no work that starts from now on is due before.
        """
        now_s, next_s = self._clock.monotonic(), self._limit_s
        expired: list[Work] = []
        with self._lock:
            for worker in list(self._workers):
                work, left_s = worker.give_up_after(self._limit_s, now_s)
                next_s = min(next_s, left_s)
                if work is not None:
                    expired.append(work)
                    self._workers.remove(worker)
                    self._lost.append(worker)
            self._fill()
        for work in expired:
            work.expire(self._limit_s)
        return next_s

    def close(self) -> None:
        """See `Threads.close`."""
        with self._lock:
            self._closed = True
            workers, self._workers = self._workers, []
            waiting = self._drained()
            for _ in workers:
                self._queue.put(None)
            self._stop.set()
        for work in waiting:
            work.drop()
        leave_by_s = time.monotonic() + _CLOSE_S
        for thread in (self._watchdog, *(worker.thread for worker in workers)):
            if thread is not None and thread is not threading.current_thread():
                thread.join(max(0.0, leave_by_s - time.monotonic()))

    def _drained(self) -> list[Work]:
        waiting: list[Work] = []
        with contextlib.suppress(Empty):
            while True:
                if (work := self._queue.get_nowait()) is not None:
                    waiting.append(work)
        return waiting

    def _fill(self) -> None:
        """Starts what is missing, unless so many hang that one more would be one too many."""
        while not self._closed and len(self._workers) < self._wanted and len(self._lost) <= self._max_lost:
            self._start()

    def _start(self) -> None:
        worker = _Worker()
        worker.thread = threading.Thread(target=self._serve, args=(worker,), name=self._name, daemon=True)
        self._workers.append(worker)
        worker.thread.start()
        if self._watchdog is None:
            self._watchdog = threading.Thread(target=self._watch, name=f"{self._name}-watchdog", daemon=True)
            self._watchdog.start()

    def _serve(self, worker: _Worker) -> None:
        self._prepare()
        while (work := self._queue.get()) is not None:
            worker.begin(work, self._clock.monotonic())
            with contextlib.suppress(Exception):  # the thread outlives it
                work.run()
            # Held on to while waiting for the next, its buffers would be as well.
            del work
            if worker.end():
                with self._lock:
                    self._lost.remove(worker)
                    self._fill()
                return

    def _watch(self) -> None:
        while not self._stop.is_set():
            self._clock.wait(self._stop, self.check())
