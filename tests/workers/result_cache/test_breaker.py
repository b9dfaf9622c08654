from __future__ import annotations

from typing import Any

import pytest
import structlog
from structlog.testing import LogCapture

from vss.testing import ManualClock
from vss.workers.result_cache.breaker import Breaker

REST_S = 5.0


@pytest.fixture
def clock() -> ManualClock:
    return ManualClock()


@pytest.fixture
def log() -> LogCapture:
    return LogCapture()


@pytest.fixture
def breaker(clock: ManualClock, log: LogCapture) -> Breaker:
    logger: Any = structlog.wrap_logger(None, processors=[log], wrapper_class=structlog.BoundLogger)
    return Breaker("cache", fix="start it", rest_s=REST_S, clock=clock, logger=logger)


def test_a_server_is_probed_before_it_is_asked(breaker: Breaker) -> None:
    assert not breaker.closed
    assert breaker.take_probe()
    breaker.passed()
    assert breaker.closed


def test_one_probe_is_made_a_rest(breaker: Breaker, clock: ManualClock) -> None:
    probes = []
    for _ in range(40):
        probes.append(breaker.take_probe())
        clock.advance(REST_S / 10)
    assert sum(probes) == 4


def test_a_failure_starts_a_rest(breaker: Breaker, clock: ManualClock) -> None:
    breaker.passed()
    clock.advance(100)
    breaker.failed("no")
    assert not breaker.closed
    assert not breaker.take_probe()
    clock.advance(REST_S)
    assert breaker.take_probe()


def test_while_the_server_answers_nobody_probes(breaker: Breaker, clock: ManualClock) -> None:
    breaker.passed()
    clock.advance(100)
    assert not breaker.take_probe()


def test_the_log_has_a_line_when_it_goes_and_one_when_it_is_back(breaker: Breaker, log: LogCapture) -> None:
    breaker.passed()
    for _ in range(3):
        breaker.failed("refused")
    breaker.passed()
    breaker.passed()
    assert [(line["event"], line["log_level"]) for line in log.entries] == [
        ("cache away", "warning"),
        ("cache back", "info"),
    ]
    assert (log.entries[0]["error"], log.entries[0]["fix"]) == ("refused", "start it")
