"""Work that must not be done on the loop's thread nor on a model's: loading, unloading, telling the fleet."""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import Future
from typing import Any, TypeVar

from vss.errors import StoreUnavailable
from vss.logs import Logger
from vss.model_store.runner.threads import Threads
from vss.model_store.serving.promise import Job

T = TypeVar("T")


class Beside:
    """Does work on the loader's thread, one piece after the other.

    Args:
        threads: That one thread.
        logger: Told of work that failed and that nobody waits for.
    """

    def __init__(self, threads: Threads, logger: Logger) -> None:
        self._threads = threads
        self._logger = logger

    def start(self, work: Callable[[Callable[[], bool]], T]) -> Future[T]:
        """Has something done.

        Args:
            work: Is given what says whether it is still waited for: it may have taken too long.

        Returns:
            Its outcome; `StoreUnavailable` where it took too long.
        """
        job: Job[T] = Job(lambda: work(lambda: not job.given_up), _too_late)
        self._threads.submit(job)
        return job.future

    def do(self, work: Callable[[], T], *, then: Callable[[Future[T]], object] | None = None) -> None:
        """Has something done that nobody waits for.

        Args:
            work: What.
            then: Is given its outcome; by default what goes wrong is logged.
        """
        job: Job[T] = Job(work, _too_late)
        job.future.add_done_callback(then if then is not None else self._log_failure)
        self._threads.submit(job)

    def problems(self) -> list[str]:
        """See `Threads.problems`."""
        return self._threads.problems()

    def close(self) -> None:
        """See `Threads.close`."""
        self._threads.close()

    def _log_failure(self, future: Future[Any]) -> None:
        if not future.cancelled() and (error := future.exception()) is not None:
            self._logger.error("work beside the loop failed", error=type(error).__name__, reason=str(error))


def _too_late(limit_s: float) -> StoreUnavailable:
    return StoreUnavailable(f"a model was not loaded within {limit_s:g} s", fix="check the model store and the model")
