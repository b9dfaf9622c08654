from __future__ import annotations

import itertools
import threading
from collections.abc import Iterable

import pytest

from vss.testing import ManualClock
from vss.workers.ingest.pacing import Pacer, RateLimit

MS = 1_000_000


def moments_ms(clock: ManualClock, pacer: Pacer, pts_ms: Iterable[int]) -> list[int]:
    shown = []
    for pts in pts_ms:
        assert pacer.wait(pts * MS)
        shown.append(round(clock.monotonic() * 1000))
    return shown


def test_frames_go_at_the_pace_of_their_presentation_times() -> None:
    clock = ManualClock()
    pacer = Pacer(clock, threading.Event())
    assert moments_ms(clock, pacer, [80, 120, 160, 300]) == [0, 40, 80, 220]


def test_time_spent_between_frames_is_not_waited_for_again() -> None:
    clock = ManualClock()
    pacer = Pacer(clock, threading.Event())
    moments_ms(clock, pacer, [0])
    clock.advance(0.03)
    assert moments_ms(clock, pacer, [40]) == [40]


def test_a_loop_goes_on_at_the_same_pace() -> None:
    clock = ManualClock()
    pacer = Pacer(clock, threading.Event())
    moments_ms(clock, pacer, [0, 40, 80])
    pacer.restart()
    assert moments_ms(clock, pacer, [0, 40]) == [120, 160]


def test_after_a_long_wait_for_kafka_frames_do_not_burst() -> None:
    clock = ManualClock()
    pacer = Pacer(clock, threading.Event())
    moments_ms(clock, pacer, [0, 40])
    clock.advance(60)
    assert moments_ms(clock, pacer, [80, 120, 160]) == [60_040, 60_080, 60_120]


def test_a_short_delay_is_made_up_for() -> None:
    clock = ManualClock()
    pacer = Pacer(clock, threading.Event())
    moments_ms(clock, pacer, [0])
    clock.advance(0.1)
    assert moments_ms(clock, pacer, [40, 80, 120]) == [100, 100, 120]


@pytest.mark.parametrize("jump_ms", [3_600_000, -3_600_000])
def test_a_jump_in_presentation_times_is_no_time_to_wait_for(jump_ms: int) -> None:
    clock = ManualClock()
    pacer = Pacer(clock, threading.Event())
    moments_ms(clock, pacer, [0, 40])
    assert moments_ms(clock, pacer, [jump_ms, jump_ms + 40]) == [80, 120]


def test_a_stop_ends_the_wait() -> None:
    clock = ManualClock()
    stop = threading.Event()
    pacer = Pacer(clock, stop)
    assert pacer.wait(0)
    stop.set()
    assert not pacer.wait(40 * MS)
    assert clock.monotonic() == 0


def taken(fps: float | None, moments: Iterable[float]) -> list[int]:
    rate = RateLimit(fps)
    return [index for index, moment_ms in enumerate(moments) if rate.takes(int(moment_ms * MS))]


def test_without_a_rate_every_frame_is_taken() -> None:
    assert taken(None, [0, 0, 1, 1]) == [0, 1, 2, 3]


def test_a_rate_that_is_no_divisor_is_kept_on_average() -> None:
    indices = taken(10, [i * 40 for i in range(250)])  # ten seconds at 25 a second
    assert len(indices) in (100, 101)
    assert {later - earlier for earlier, later in itertools.pairwise(indices)} == {2, 3}


def test_a_slower_source_keeps_all_its_frames() -> None:
    assert len(taken(30, [i * 100 for i in range(50)])) == 50


def test_jitter_at_just_the_wanted_rate_costs_no_frame() -> None:
    jitter = [0, 30, -30, 20, -20, 25, -5, 0, 10, -30]
    assert len(taken(10, [i * 100 + jitter[i % 10] for i in range(100)])) == 100


def test_a_silence_is_not_made_up_for_by_a_burst() -> None:
    after_silence = [60_000 + i * 10 for i in range(101)]  # a second at 100 a second
    assert len(taken(10, [0, *after_silence])) <= 13
