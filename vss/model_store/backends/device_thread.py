"""The one thread that calls a session on an accelerator."""

from __future__ import annotations

import queue
import threading
from collections.abc import Callable
from concurrent.futures import Future
from typing import Any, TypeVar

T = TypeVar("T")

_PATIENCE_S = 5.0


class DeviceThread:
    """Runs calls one after the other on a thread that never keeps the process from ending, even if the device hangs."""

    def __init__(self) -> None:
        self._calls: queue.SimpleQueue[tuple[Future[Any], Callable[[], Any]] | None] = queue.SimpleQueue()
        self._lock = threading.Lock()
        self._closed = False
        self._thread = threading.Thread(target=self._run, name="device", daemon=True)
        self._thread.start()

    def run(self, call: Callable[[], T]) -> T:
        """What the call returns or raises; waits for it.

        Raises:
            RuntimeError: The thread has been closed.
        """
        future: Future[T] = Future()
        with self._lock:
            if self._closed:  # nobody would come for it
                raise RuntimeError("the device's thread is closed")
            self._calls.put((future, call))
        return future.result()

    def close(self) -> None:
        """Ends the thread after the calls that were handed in; waits for a moment at most. Idempotent."""
        with self._lock:
            self._closed = True
            self._calls.put(None)
        self._thread.join(_PATIENCE_S)

    def _run(self) -> None:
        while (item := self._calls.get()) is not None:
            future, call = item
            try:
                result = call()
            except BaseException as error:  # whoever waits for the call is told
                future.set_exception(error)
            else:
                future.set_result(result)
