"""What is wrong with a sensor's readings, a problem a test."""

from __future__ import annotations

from vss.config import QualitySettings
from vss.workers.quality.arrivals import Arrival
from vss.workers.quality.episodes import Change
from vss.workers.quality.readings import SensorWatch, ranges_of

SETTINGS = QualitySettings(stuck_after_s=10, stuck_readings=5, ranges={"p": (0.0, 16.0)})
START_MS = 1_700_000_000_000


class Bench:
    """A sensor that speaks once a second."""

    def __init__(self, settings: QualitySettings = SETTINGS) -> None:
        self.watch = SensorWatch("pump-1", settings)
        self.offset = 0
        self.arrived_ms = START_MS

    def say(self, *values: float, ts_ms: int | None = None, feature: str = "p", leap_ms: int = 0) -> list[Change]:
        changes = []
        for value in values:
            self.arrived_ms += 1000
            at_ms = ts_ms if ts_ms is not None else self.arrived_ms + leap_ms
            changes += list(self.watch.look(Arrival(self.offset, at_ms, self.arrived_ms), {feature: value}))
            self.offset += 1
        return changes


def said(changes: list[Change]) -> list[tuple[str, bool]]:
    return [(change.about.problem, change.starts) for change in changes]


def test_a_value_that_does_not_change_is_stuck_from_its_first_reading_on_until_it_changes() -> None:
    bench = Bench()
    assert said(bench.say(1, 2, 3)) == []
    assert said(bench.say(*[3.0] * 9)) == []
    [start] = bench.say(3)
    assert (start.about, start.since.offset, start.at.offset) == (("stuck", "p"), 2, 12)
    assert bench.say(*[3.0] * 50) == [], "told once"
    [end] = bench.say(4)
    assert (end.starts, end.since, end.detail) == (False, start.since, "p changed to 4")


def test_few_readings_far_apart_are_not_stuck() -> None:
    bench = Bench()
    changes = []
    for i in range(4):
        changes += bench.say(3, ts_ms=START_MS + i * 20_000)
    assert said(changes) == []


def test_a_value_out_of_its_physical_range_is_told_at_once() -> None:
    bench = Bench()
    assert said(bench.say(1, 16.5, 17, 2, 3, -1)) == [
        ("out_of_range", True),
        ("out_of_range", False),
        ("out_of_range", True),
    ]


def test_a_range_is_of_a_feature_or_of_some_sensors() -> None:
    ranges = {"p": (0.0, 1.0), "pump-*:p": (0.0, 2.0), "valve-*:p": (0.0, 3.0), "pump-1:t": (5.0, 6.0)}
    assert ranges_of("pump-1", ranges) == {"p": (0.0, 2.0), "t": (5.0, 6.0)}
    assert ranges_of("boiler", ranges) == {"p": (0.0, 1.0)}


def test_a_clock_that_leaps_back_or_ahead_has_jumped_and_settles() -> None:
    for leap_ms in (-3_600_000, 3_600_000):
        bench = Bench()
        bench.say(*range(5))
        [start] = bench.say(6, leap_ms=leap_ms)
        assert (start.about.problem, start.starts, start.at.offset) == ("clock_jump", True, 5)
        assert said(bench.say(7, 8, 9, 10, leap_ms=leap_ms)) == []
        [end] = bench.say(11, leap_ms=leap_ms)
        assert (end.starts, end.since) == (False, start.since)


def test_a_clock_that_goes_on_leaping_is_one_problem() -> None:
    bench = Bench()
    bench.say(*range(5))
    changes = [change for i in range(1, 8) for change in bench.say(i, leap_ms=(-1) ** i * 3_600_000)]
    assert said(changes) == [("clock_jump", True)]


def test_a_pause_is_no_leap_and_neither_is_a_recording_that_is_played_fast() -> None:
    bench = Bench()
    bench.say(*range(5))
    bench.arrived_ms += 3_600_000
    assert said(bench.say(6)) == []
    fast = Bench()
    changes = []
    for hour in range(20):
        changes += fast.say(hour % 7, ts_ms=START_MS + hour * 3_600_000)
    assert said(changes) == []
