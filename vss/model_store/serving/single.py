"""One model for every request, for whoever has loaded it: benches, tests."""

from __future__ import annotations

from collections.abc import Sequence
from concurrent.futures import Future
from functools import partial
from typing import Any

from vss.model_store.runner.answer import Answer
from vss.model_store.runner.futures import end_cancelled, fail, settle
from vss.model_store.runner.runner import Runner
from vss.model_store.serving.promise import ServedFuture
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
        served = ServedFuture[Served[Any]]()
        served.followed = answer
        answer.add_done_callback(partial(self._hand_on, served))
        return served

    def _hand_on(self, served: ServedFuture[Served[Any]], answer: Future[Answer[Any]]) -> None:
        if answer.cancelled():
            end_cancelled(served)
        elif (error := answer.exception()) is not None:
            fail(served, error)
        else:
            settle(served, Served(answer.result(), self._runner.name, self._runner.version))
