"""A thread for calls into a client that may not come back."""

from __future__ import annotations

import queue
import threading
from collections.abc import Callable
from concurrent.futures import Executor, Future
from typing import Any, ParamSpec, TypeVar

P = ParamSpec("P")
T = TypeVar("T")

# What is stuck then was left to the broker a moment ago, when the sink was closed.
_PATIENCE_S = 0.1


class DaemonThread(Executor):
    """Runs what is submitted, one after the other, on a thread that never keeps the process from ending.

    `ThreadPoolExecutor` waits for its threads when the process ends, and a call into a Kafka client whose broker is
    gone may take half a minute to give up. What is cut off so is a transaction without its end: the broker aborts it.

    Args:
        name: Of the thread.
    """

    def __init__(self, name: str) -> None:
        self._work: queue.SimpleQueue[tuple[Future[Any], Callable[[], Any]] | None] = queue.SimpleQueue()
        self._thread = threading.Thread(target=self._run, name=name, daemon=True)
        self._thread.start()

    def submit(self, fn: Callable[P, T], /, *args: P.args, **kwargs: P.kwargs) -> Future[T]:
        """See `concurrent.futures.Executor.submit`."""
        future: Future[T] = Future()
        self._work.put((future, lambda: fn(*args, **kwargs)))
        return future

    def shutdown(self, wait: bool = True, *, cancel_futures: bool = False) -> None:
        """Ends the thread after what was submitted; waits for it for a moment at most."""
        self._work.put(None)
        if wait:
            self._thread.join(_PATIENCE_S)

    def _run(self) -> None:
        while (item := self._work.get()) is not None:
            future, work = item
            if not future.set_running_or_notify_cancel():
                continue
            try:
                result = work()
            except BaseException as error:  # whoever waits for the future is told
                future.set_exception(error)
            else:
                future.set_result(result)
