from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from vss.errors import ConfigError
from vss.schemas.envelope import TopicPartition
from vss.streams.log_range import Moment, parse_moment, share_out

NOW_NS = 1_772_366_400_000_000_000


@pytest.mark.parametrize(
    ("text", "moment"),
    [
        ("2026-03-01T12:00:00Z", Moment(time_ms=1_772_366_400_000)),
        ("2026-03-01T13:00:00.250+01:00", Moment(time_ms=1_772_366_400_250)),
        ("1772366400000", Moment(time_ms=1_772_366_400_000)),
        ("-10m", Moment(time_ms=1_772_366_400_000 - 600_000)),
        ("-1.5h", Moment(time_ms=1_772_366_400_000 - 5_400_000)),
        ("-250ms", Moment(time_ms=1_772_366_399_750)),
        ("-99999d", Moment(time_ms=0)),
        ("offset:1200", Moment(offset=1200)),
    ],
)
def test_a_moment_is_a_time_an_age_or_an_offset(text: str, moment: Moment) -> None:
    assert parse_moment(text, now_ns=NOW_NS) == moment


@pytest.mark.parametrize(
    "text", ["", "yesterday", "10m", "-10", "-10w", "2026-03-01", "2026-13-01T00:00:00Z", "1200", "offset:-1", "-١m"]
)
def test_what_is_no_moment_is_refused_with_what_one_looks_like(text: str) -> None:
    with pytest.raises(ConfigError, match="is no time") as refused:
        parse_moment(text, now_ns=NOW_NS)
    assert "-10m" in refused.value.fix


@given(st.integers(0, 200), st.lists(st.integers(0, 60), max_size=8))
def test_a_limit_is_shared_out_as_evenly_as_the_partitions_have_records(limit: int, sizes: list[int]) -> None:
    held = {TopicPartition("t", i): size for i, size in enumerate(sizes)}
    quotas = share_out(limit, held)
    assert quotas.keys() == held.keys()
    assert all(quotas[p] <= held[p] for p in held)
    assert sum(quotas.values()) == min(limit, sum(sizes))
    # Whoever gets less than another, by more than rounding, gave all it had.
    most = max(quotas.values(), default=0)
    assert all(quotas[p] == held[p] for p in held if quotas[p] < most - 1)
