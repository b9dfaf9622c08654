from __future__ import annotations

from collections.abc import Iterable

from vss.workers.sensor.regularity import Finding, Irregularity, Regularity


def looked(
    steps_ms: Iterable[int], *, period_ms: float | None = 1000, live: bool = False, silences_s: Iterable[float] = ()
) -> list[Finding | None]:
    regularity = Regularity(period_ms=period_ms, jump_periods=60, live=live)
    silences = iter(silences_s)
    ts_ms, now_s = 1_700_000_000_000, 0.0
    assert regularity.look("pump", ts_ms, now_s) is None
    found = []
    for step_ms in steps_ms:
        ts_ms += step_ms
        now_s += next(silences, step_ms / 1000 if step_ms > 0 else 0.0)
        found.append(regularity.look("pump", ts_ms, now_s))
    return found


def test_readings_on_their_beat_are_as_they_should_be() -> None:
    assert looked([1000, 1040, 960, 1400, 600]) == [None] * 5


def test_a_gap_says_how_many_are_missing() -> None:
    assert looked([1000, 4000, 1000]) == [None, Finding(Irregularity.GAP, 4000, missing=3), None]


def test_a_reading_out_of_order_is_no_jump_and_the_newest_stays_the_newest() -> None:
    # Times 0, 1, 2, then 1 again, then 2 again, then 3.
    assert looked([1000, 1000, -1000, 1000, 1000]) == [
        None,
        None,
        Finding(Irregularity.OUT_OF_ORDER, -1000),
        Finding(Irregularity.OUT_OF_ORDER, 0),
        None,
    ]


def test_a_clock_that_goes_back_by_more_is_a_jump_and_goes_on_from_there() -> None:
    assert looked([1000, -61_000, 1000]) == [None, Finding(Irregularity.JUMP_BACKWARD, -61_000), None]


def test_in_a_file_a_step_beyond_the_limit_is_a_jump() -> None:
    assert looked([60_000, 61_000]) == [
        Finding(Irregularity.GAP, 60_000, missing=59),
        Finding(Irregularity.JUMP_FORWARD, 61_000),
    ]


def test_a_live_sensor_that_was_silent_left_a_gap_its_clock_did_not_jump() -> None:
    found = looked([3_600_000, 1000, 3_600_000], live=True, silences_s=[3600, 1, 1])
    assert found == [
        Finding(Irregularity.GAP, 3_600_000, missing=3599),
        None,
        Finding(Irregularity.JUMP_FORWARD, 3_600_000),
    ]


def test_the_period_is_learnt_from_steps_that_agree() -> None:
    assert looked([100, 101, 99, 100, 100, 300, 100, 100, 400], period_ms=None)[-1] == Finding(
        Irregularity.GAP, 400, missing=3
    )


def test_a_sensor_without_a_period_has_no_gaps() -> None:
    assert looked([100, 5000, 30, 900, 10, 70_000, 4, 1000, 100_000], period_ms=None) == [None] * 9


def test_sensors_are_looked_at_each_for_itself_and_not_too_many() -> None:
    regularity = Regularity(period_ms=1000, jump_periods=60, live=False)
    for number in range(10_001):
        assert regularity.look(f"s{number}", 0, 0.0) is None
    assert regularity.look("s10000", 5000, 0.0) == Finding(Irregularity.GAP, 5000, missing=4)
    assert regularity.look("s0", 5000, 0.0) is None  # forgotten, and new again
