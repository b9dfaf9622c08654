"""Gives a future its outcome once: whoever comes later, from a thread that was given up, changes nothing."""

from __future__ import annotations

import contextlib
from concurrent.futures import Future, InvalidStateError
from typing import Any, TypeVar

T = TypeVar("T")


def settle(future: Future[T], result: T) -> None:
    """Gives a future its result, unless it has an outcome already."""
    with contextlib.suppress(InvalidStateError):
        future.set_result(result)


def fail(future: Future[Any], error: BaseException) -> None:
    """Gives a future its error, unless it has an outcome already."""
    with contextlib.suppress(InvalidStateError):
        future.set_exception(error)


def end_cancelled(future: Future[Any]) -> None:
    """Cancels a future and tells who waits."""
    if Future.cancel(future):
        with contextlib.suppress(InvalidStateError, RuntimeError):
            future.set_running_or_notify_cancel()
