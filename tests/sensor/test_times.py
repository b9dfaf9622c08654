from __future__ import annotations

from zoneinfo import ZoneInfo

import pytest

from vss.workers.sensor.times import Times

NOON_MS = 1_772_366_400_000  # 2026-03-01T12:00:00Z


@pytest.mark.parametrize(
    "value",
    [
        "2026-03-01T12:00:00Z",
        "2026-03-01t12:00:00.000000000Z",
        "2026-03-01T13:00:00+01:00",
        "2026-03-01 12:00:00",
        " 2026-03-01T12:00 ",
        "1772366400",
        "1772366400.000",
        "1772366400000",
        1_772_366_400,
        1_772_366_400.0,
        1_772_366_400_000,
    ],
)
def test_a_moment_is_the_same_however_it_is_written(value: object) -> None:
    assert Times().read_ms(value) == NOON_MS


def test_milliseconds_are_kept() -> None:
    assert Times().read_ms("2026-03-01T12:00:00.123456Z") == NOON_MS + 123
    assert Times().read_ms("1772366400.25") == NOON_MS + 250


def test_the_zone_counts_where_a_time_names_none() -> None:
    berlin = Times(ZoneInfo("Europe/Berlin"))
    assert berlin.read_ms("2026-03-01 13:00:00") == NOON_MS
    assert berlin.read_ms("2026-07-01 14:00:00") == Times().read_ms("2026-07-01T12:00:00Z")
    assert berlin.read_ms("2026-03-01T12:00:00Z") == NOON_MS


def test_a_format_of_ones_own() -> None:
    assert Times(format="%d.%m.%Y %H:%M").read_ms("01.03.2026 12:00") == NOON_MS
    assert Times(format="%Y%m%d").read_ms("20260301") == NOON_MS - 12 * 3_600_000


@pytest.mark.parametrize(
    "value", ["", "yesterday", "2026-13-01", "1e99", "٣", True, None, [], float("nan"), float("inf"), 10**30, -1e15]
)
def test_what_is_no_time_is_refused(value: object) -> None:
    with pytest.raises(ValueError, match="no time"):
        Times().read_ms(value)
