"""A thread for calls that may take longer than anybody wants to wait."""

from __future__ import annotations

import queue
import threading
from collections.abc import Callable

_PATIENCE_S = 0.5


class Lane:
    """Runs jobs one after the other on a thread that never keeps the process from ending.

    A few jobs may wait behind the one that runs; more are refused, so that a call that hangs holds nothing up.

    Args:
        name: Of the thread.
        waiting: Jobs that may wait.
    """

    def __init__(self, name: str, *, waiting: int = 1) -> None:
        self._jobs: queue.Queue[Callable[[], None] | None] = queue.Queue(waiting)
        self._closed = False
        self._thread = threading.Thread(target=self._run, name=name, daemon=True)
        self._thread.start()

    def offer(self, job: Callable[[], None]) -> bool:
        """Runs a job, which must not raise, as soon as the thread is free.

        Returns:
            Whether it was taken.
        """
        if self._closed:
            return False
        try:
            self._jobs.put_nowait(job)
        except queue.Full:
            return False
        return True

    def close(self) -> None:
        """Ends the thread after what was taken; waits for it for a moment at most. Idempotent."""
        self._closed = True
        try:
            self._jobs.put(None, timeout=_PATIENCE_S)
        except queue.Full:  # a call hangs; the thread ends with the process
            return
        self._thread.join(_PATIENCE_S)

    def _run(self) -> None:
        while (job := self._jobs.get()) is not None:
            job()
