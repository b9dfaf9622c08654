"""Time that can be held."""

from __future__ import annotations

import threading
import time

from vss.clock import Deadline, SystemClock
from vss.testing import ManualClock


def test_the_system_clock_is_the_machines_time() -> None:
    clock = SystemClock()
    before_ns, before_s = time.time_ns(), time.monotonic()
    assert before_ns <= clock.now_ns() <= time.time_ns()
    assert before_s <= clock.monotonic() <= time.monotonic()


def test_waiting_ends_at_once_when_the_event_is_set_and_says_so() -> None:
    event = threading.Event()
    assert SystemClock().wait(event, 0.001) is False
    event.set()
    start_s = time.monotonic()
    assert SystemClock().wait(event, 60.0) is True
    assert time.monotonic() - start_s < 30.0


def test_a_deadline_counts_down_and_then_stays_passed() -> None:
    clock = ManualClock()
    deadline = Deadline.after(2.0, clock)
    assert (deadline.remaining_s(), deadline.passed()) == (2.0, False)
    clock.advance(1.5)
    assert (deadline.remaining_s(), deadline.passed()) == (0.5, False)
    clock.advance(0.5)
    assert (deadline.remaining_s(), deadline.passed()) == (0.0, True)
    clock.advance(5.0)
    assert (deadline.remaining_s(), deadline.passed()) == (0.0, True)
