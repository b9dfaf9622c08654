"""One model for every request, for whoever has loaded it: benches, tests."""

from __future__ import annotations

from collections.abc import Sequence
from concurrent.futures import Future
from typing import Any

from vss.model_store.runner.answer import Answer
from vss.model_store.runner.runner import Runner
from vss.model_store.serving.requests import Request, Served


class SingleModel:
    """Answers every request with one runner (see `Server`).

    Args:
        runner: Closed with it.
    """

    def __init__(self, runner: Runner[Any]) -> None:
        self._runner = runner

    def submit(self, requests: Sequence[Request]) -> list[Future[Served[Any]]]:
        """See `Server.submit`."""
        return [self._served(future) for future in self._runner.submit([request.picture for request in requests])]

    def close(self) -> None:
        """See `Server.close`."""
        self._runner.close()

    def _served(self, answer: Future[Answer[Any]]) -> Future[Served[Any]]:
        served = _Follower(answer)
        answer.add_done_callback(lambda _: self._hand_on(answer, served))
        return served

    def _hand_on(self, answer: Future[Answer[Any]], served: Future[Served[Any]]) -> None:
        if answer.cancelled():
            served.set_running_or_notify_cancel()
        elif (error := answer.exception()) is not None:
            served.set_exception(error)
        else:
            served.set_result(Served(answer.result(), self._runner.name, self._runner.version))


class _Follower(Future[Served[Any]]):
    """Cancelled with what it follows."""

    def __init__(self, followed: Future[Answer[Any]]) -> None:
        super().__init__()
        self._followed = followed

    def cancel(self) -> bool:
        return self._followed.cancel() and super().cancel()
