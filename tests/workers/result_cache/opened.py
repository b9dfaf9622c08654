"""A cache of answers as a test looks at it."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any

import structlog
from structlog.testing import LogCapture

from vss.clock import Clock, SystemClock
from vss.config import RedisSettings
from vss.metrics import Metrics
from vss.workers.result_cache.redis_answers import RedisAnswers, open_result_cache

PATIENCE_S = 20.0


def wait_for(condition: Callable[[], bool], what: str) -> None:
    deadline = time.monotonic() + PATIENCE_S
    while not condition():
        assert time.monotonic() < deadline, f"not within {PATIENCE_S} s: {what}"
        time.sleep(0.01)


class Opened:
    """A cache, its log and its counts."""

    def __init__(self, settings: RedisSettings, clock: Clock | None = None) -> None:
        self.metrics = Metrics()
        self.log = LogCapture()
        logger: Any = structlog.wrap_logger(None, processors=[self.log], wrapper_class=structlog.BoundLogger)
        cache = open_result_cache(settings, metrics=self.metrics, clock=clock or SystemClock(), logger=logger)
        assert cache is not None
        self.cache: RedisAnswers = cache

    def looked_up(self, result: str) -> int:
        return int(self.metrics.registry.get_sample_value("vss_result_cache_total", {"result": result}) or 0)

    def writes(self, result: str) -> int:
        return int(self.metrics.registry.get_sample_value("vss_result_cache_writes_total", {"result": result}) or 0)

    def lines(self, event: str) -> int:
        return sum(line["event"] == event for line in self.log.entries)

    def wait_up(self) -> None:
        wait_for(self._answers, "Redis answers")

    def put_and_wait(self, entries: dict[str, bytes]) -> None:
        before = self.writes("written")
        self.cache.put(entries)
        self.wait_for_writes(before + len(entries))

    def wait_for_writes(self, count: int) -> None:
        wait_for(lambda: self.writes("written") >= count, "answers are written")

    def _answers(self) -> bool:
        before = self.looked_up("miss")
        self.cache.get(["none"])
        return self.looked_up("miss") > before


Open = Callable[..., Opened]
