"""Futures that follow others, and work whose outcome is a future."""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import Future
from typing import Any, Generic, TypeVar

from vss.model_store.runner.futures import end_cancelled, fail, settle

T = TypeVar("T")


class ServedFuture(Future[T]):
    """The outcome of one request; cancelled with the answer that it follows, once it follows one."""

    def __init__(self) -> None:
        super().__init__()
        self.followed: Future[Any] | None = None

    def cancel(self) -> bool:
        """See `concurrent.futures.Future.cancel`."""
        if self.followed is not None and not self.followed.cancel():
            return False
        return super().cancel()


class Job(Generic[T]):
    """Work for a thread whose outcome is a future (see `vss.model_store.runner.threads.Work`).

    Args:
        work: Is called once.
        too_late: Makes the error of a job that takes too long.

    Attributes:
        future: Its outcome.
        given_up: Whether it took too long: what it still does must have no effect.
    """

    def __init__(self, work: Callable[[], T], too_late: Callable[[float], Exception]) -> None:
        self.future: Future[T] = Future()
        self.given_up = False
        self._work = work
        self._too_late = too_late

    def run(self) -> None:
        """See `Work.run`."""
        try:
            result = self._work()
        except BaseException as error:
            fail(self.future, error)
        else:
            settle(self.future, result)

    def expire(self, limit_s: float) -> None:
        """See `Work.expire`."""
        self.given_up = True
        fail(self.future, self._too_late(limit_s))

    def drop(self) -> None:
        """See `Work.drop`."""
        end_cancelled(self.future)
