"""What windows do one by one: limits, missing values, metrics, and what is asked of whoever uses them."""

from __future__ import annotations

import numpy as np
import pytest

from tests.streams.windows.logs import FEATURES, PLACE, assert_same, keyed_windows, take
from tests.streams.windows.reference import Reading, Rules, see_all
from vss.config import WindowSettings
from vss.errors import BrokenPromise, ConfigError
from vss.metrics import Metrics
from vss.schemas.envelope import Commit, TopicPartition
from vss.streams.windows.arrivals import Arrival
from vss.streams.windows.keyed_windows import KeyedWindows
from vss.streams.windows.layout import WindowLayout
from vss.streams.windows.rings import Rings, row_bytes

RULES = Rules(window=3, lateness_ms=100, expire_after_ms=1000, max_rewind=100)


def in_order(key: bytes, count: int, *, offset: int = 0, ts_ms: int = 1000) -> list[Reading]:
    return [Reading(key, offset + i, ts_ms + 10 * i, (float(offset + i), 0.0)) for i in range(count)]


def statuses(windows: KeyedWindows, batch: list[Reading]) -> list[str]:
    return [seen.status for seen in take(windows, batch)]


def test_one_sensor_more_than_there_is_room_for_is_told_so_and_harms_nobody() -> None:
    windows = keyed_windows(RULES, max_keys=2)
    batch = [*in_order(b"a", 2), *in_order(b"b", 2, offset=2), *in_order(b"c", 2, offset=4), *in_order(b"a", 0)]
    assert statuses(windows, batch) == ["taken", "taken", "taken", "taken", "no_room", "no_room"]
    later = [Reading(b"a", 6, 1020, (6.0, 0.0)), Reading(b"c", 7, 1020, (7.0, 0.0))]
    assert statuses(windows, later) == ["due", "no_room"]


def test_sensors_that_are_out_of_reach_make_room() -> None:
    windows = keyed_windows(RULES, max_keys=2)
    take(windows, [*in_order(b"a", 1), *in_order(b"b", 1, offset=1)])
    assert statuses(windows, in_order(b"c", 1, offset=99)) == ["no_room"]
    # A block of fifty lies between, so that whatever `a` and `b` say next begins a window.
    assert statuses(windows, in_order(b"c", 1, offset=100)) == ["taken"]


def test_max_bytes_bounds_what_is_held() -> None:
    room = row_bytes(RULES.window, len(FEATURES)) * 2
    windows = keyed_windows(RULES, max_bytes=room)
    assert statuses(windows, [*in_order(b"a", 1), *in_order(b"b", 1, offset=1), *in_order(b"c", 1, offset=2)]) == [
        "taken",
        "taken",
        "no_room",
    ]


def test_what_is_infinite_counts_as_missing_and_never_leaves() -> None:
    windows = keyed_windows(RULES)
    values = np.array([[1.0, np.inf], [-np.inf, 2.0], [np.nan, 3.0]], np.float32)
    taken = windows.take([(PLACE, 3)], [b"a"] * 3, np.arange(3), np.array([1, 2, 3]), values)
    found = windows.gather(taken)
    assert found.missing.tolist() == [3]
    assert not np.isinf(found.values).any()
    assert np.isinf(values).any(), "what the caller gave is the caller's"


def test_each_of_several_due_readings_of_a_batch_has_the_window_of_its_time() -> None:
    log = in_order(b"a", 40)
    assert_same(take(keyed_windows(RULES), log), see_all(log, RULES))


def test_windows_are_gathered_in_pieces_and_in_any_order() -> None:
    windows = keyed_windows(RULES)
    log = in_order(b"a", 6)
    columns = np.arange(6), np.array([r.ts_ms for r in log]), np.array([r.values for r in log], np.float32)
    taken = windows.take([(PLACE, 6)], [b"a"] * 6, *columns)
    assert taken.due.tolist() == [2, 3, 4, 5]
    found = windows.gather(taken, np.array([5, 2]))
    assert found.values[:, :, 0].tolist() == [[3.0, 4.0, 5.0], [0.0, 1.0, 2.0]]
    assert found.first_offset.tolist() == [3, 0]
    assert found.start_ms.tolist() == [1030, 1000]
    assert len(windows.gather(taken, taken.due[:0]).values) == 0


def test_windows_of_a_batch_that_was_written_over_are_refused() -> None:
    windows = keyed_windows(RULES)
    first = windows.take([(PLACE, 1)], [b"a"], np.array([0]), np.array([1]), np.zeros((1, 2), np.float32))
    windows.take([(PLACE, 1)], [b"a"], np.array([1]), np.array([2]), np.zeros((1, 2), np.float32))
    with pytest.raises(BrokenPromise):
        windows.gather(first)


def test_a_partition_that_was_never_read_commits_no_text() -> None:
    windows = keyed_windows(RULES)
    assert windows.start(PLACE, None) is None
    assert windows.memory([PLACE, TopicPartition("in", 7)]) == {}


@pytest.mark.parametrize("text", ["", "rewind=2", "{}", "[]", '{"rewind": -1}', '{"rewind": "2"}', '{"rewind": true}'])
def test_a_text_that_is_not_ours_rebuilds_nothing(text: str) -> None:
    assert keyed_windows(RULES).start(PLACE, Commit(10, text)) is None


def test_a_rewind_beyond_the_commit_is_the_commit() -> None:
    assert keyed_windows(RULES).start(PLACE, Commit(10, '{"rewind":20}')) == 10


def test_no_more_than_max_rewind_is_read_again_whatever_the_text_says() -> None:
    """Records that are no readings may lie behind the last reading without end."""
    windows = keyed_windows(RULES)
    assert windows.start(PLACE, Commit(100_010, '{"rewind":4}')) == 100_010 - 60
    assert windows.memory([PLACE]) == {PLACE: '{"rewind":99950}'}


def test_until_all_is_rebuilt_the_text_stays_that_of_the_commit() -> None:
    windows = keyed_windows(RULES)
    assert windows.start(PLACE, Commit(10, '{"rewind":4}')) == 4
    assert windows.memory([PLACE]) == {PLACE: '{"rewind":4}'}
    take(windows, in_order(b"a", 3, offset=5), rebuilding=True)
    assert windows.memory([PLACE]) == {PLACE: '{"rewind":4}'}
    take(windows, in_order(b"a", 4, offset=8, ts_ms=1030))
    assert windows.memory([PLACE]) == {PLACE: '{"rewind":9}'}


def test_a_partition_that_comes_back_is_built_from_nothing() -> None:
    windows = keyed_windows(RULES)
    take(windows, in_order(b"a", 2))
    windows.forget([PLACE])
    assert statuses(windows, in_order(b"a", 3, offset=2)) == ["taken", "taken", "due"]


def test_a_partition_that_comes_and_goes_leaves_its_room() -> None:
    windows = keyed_windows(RULES, max_keys=1)
    for seq in range(3):
        assert windows.start(PLACE, Commit(seq, '{"rewind":0}')) == 0
        assert statuses(windows, in_order(b"a", 1)) == ["taken"]


def test_what_happens_is_counted() -> None:
    metrics = Metrics()
    windows = KeyedWindows(
        WindowLayout(FEATURES, 2), WindowSettings(lateness_ms=10, expire_after_ms=1000), step="s", metrics=metrics
    )
    times = np.array([1000, 1010, 1010, 990, 5000])
    values = np.zeros((5, 2), np.float32)
    values[0, 0] = np.nan
    windows.take([(PLACE, 5)], [b"a"] * 5, np.arange(5), times, values)
    windows.start(PLACE, Commit(5, '{"rewind":1}'))
    windows.take([(PLACE, 4)], [b"a"] * 4, np.arange(1, 5), times[1:], values[1:], rebuilding=True)

    def value(name: str, **labels: str) -> float:
        return metrics.registry.get_sample_value(name, {"step": "s", **labels}) or 0.0

    counted = {a.name.lower(): value("vss_window_readings_total", status=a.name.lower()) for a in Arrival}
    assert counted == {"taken": 2, "due": 1, "late": 1, "duplicate": 1, "no_room": 0}
    assert value("vss_window_missing_values_total") == 1
    assert value("vss_window_restarts_total", reason="gap") == 1
    assert value("vss_window_rebuilt_readings_total") == 4
    assert value("vss_window_keys") == 1
    assert value("vss_window_bytes") > 0


@pytest.mark.parametrize(
    ("settings", "period_ms", "named"),
    [
        ({"stride": 4}, 10, "windows.stride"),
        ({"stride": 2}, None, "period"),
        ({"max_rewind": 5}, 10, "windows.max_rewind"),
        ({"max_bytes": 50}, 10, "windows.max_bytes"),
    ],
)
def test_settings_that_cannot_work_are_refused(settings: dict[str, int], period_ms: int | None, named: str) -> None:
    with pytest.raises(ConfigError, match=named) as raised:
        KeyedWindows(WindowLayout(FEATURES, 3, period_ms), WindowSettings(**settings), step="s", metrics=Metrics())
    assert raised.value.fix


def test_ten_thousand_sensors_take_no_more_than_their_readings_do() -> None:
    """10,000 × 100 × 8 in float32, with a time and an offset each: 48 bytes a reading."""
    rings = Rings(100, 8, 100_000)
    for _ in range(10_000):
        rings.take()
    assert rings.size_bytes < 60_000_000
