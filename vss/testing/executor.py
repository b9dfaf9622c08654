"""Executors without threads, so that a test decides what runs when."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable
from concurrent.futures import Executor, Future
from typing import Any, ParamSpec, TypeVar

P = ParamSpec("P")
T = TypeVar("T")


class InlineExecutor(Executor):
    """Runs what is submitted at once, on the caller's thread."""

    def submit(self, fn: Callable[P, T], /, *args: P.args, **kwargs: P.kwargs) -> Future[T]:
        """See `concurrent.futures.Executor.submit`."""
        future = DeferredFuture(lambda: fn(*args, **kwargs))
        future.run()
        return future


class DeferredExecutor(Executor):
    """Runs what is submitted when told, or when somebody waits for it: work that goes on beside its caller.

    Attributes:
        waiting: What was submitted and has not run, oldest first.
        stuck: While true, whoever waits waits in vain, until its timeout; `run_next` still runs.
    """

    def __init__(self) -> None:
        self.waiting: deque[DeferredFuture[Any]] = deque()
        self.stuck = False

    def submit(self, fn: Callable[P, T], /, *args: P.args, **kwargs: P.kwargs) -> Future[T]:
        """See `concurrent.futures.Executor.submit`."""
        future = DeferredFuture(lambda: fn(*args, **kwargs), lambda: self.stuck)
        self.waiting.append(future)
        return future

    def run_next(self) -> bool:
        """Runs the oldest; returns whether there was one."""
        while self.waiting:
            future = self.waiting.popleft()
            if not future.done():
                future.run()
                return True
        return False


class DeferredFuture(Future[T]):
    """A future whose work runs on the thread that first asks for its outcome."""

    def __init__(self, work: Callable[[], T], stuck: Callable[[], bool] = lambda: False) -> None:
        super().__init__()
        self._work = work
        self._stuck = stuck

    def run(self) -> None:
        """Does the work, once."""
        if not self.set_running_or_notify_cancel():
            return
        try:
            result = self._work()
        except Exception as error:
            self.set_exception(error)
        else:
            self.set_result(result)

    def result(self, timeout: float | None = None) -> T:
        """See `concurrent.futures.Future.result`."""
        self._ensure(timeout)
        return super().result(timeout)

    def exception(self, timeout: float | None = None) -> BaseException | None:
        """See `concurrent.futures.Future.exception`."""
        self._ensure(timeout)
        return super().exception(timeout)

    def _ensure(self, timeout: float | None) -> None:
        if self.done() or self.running():
            return
        if self._stuck() and timeout is not None:
            raise TimeoutError
        self.run()
