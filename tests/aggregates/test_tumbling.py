"""Spans of time: what belongs where, what is late, and that a record counts once."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from vss.errors import ConfigError
from vss.streams.aggregates.tumbling import MAX_STATE_BYTES, Added, Span, Spans, Tumbling

TEN = Spans((10_000,), grace_ms=2_000)


def fed(state: Tumbling, *times_ms: int, spans: Spans = TEN, first: int = 0) -> list[Span]:
    over = []
    for offset, ts_ms in enumerate(times_ms, first):
        state.add(spans, 0, offset, ts_ms, {"a": float(ts_ms)})
        over += state.closed(spans)
    return over


def test_a_span_holds_what_is_measured_in_it_and_closes_after_its_grace() -> None:
    state = Tumbling()
    assert fed(state, 20_000, 29_999, 30_000, 31_999) == []
    [span] = fed(state, 32_000, first=4)
    assert (span.start_ms, span.end_ms, span.records, span.newest_offset) == (20_000, 30_000, 2, 1)
    stats = span.stats["a"]
    assert (stats.count, stats.sum, stats.min, stats.max, stats.last) == (2, 49_999, 20_000, 29_999, 29_999)


def test_out_of_order_within_the_grace_counts_and_the_newest_by_time_is_the_last() -> None:
    state = Tumbling()
    [span] = fed(state, 29_000, 31_000, 21_000, 40_000)
    assert (span.records, span.stats["a"].last, span.newest_offset) == (2, 29_000, 2)


def test_what_comes_for_a_span_that_is_over_is_late_and_changes_nothing() -> None:
    state = Tumbling()
    fed(state, 20_000, 32_000)
    assert state.add(TEN, 0, 2, 25_000, {"a": 1.0}).late == 1
    assert [span.start_ms for span in state.open.values()] == [30_000]


def test_a_record_is_known_by_its_offset_and_another_partition_is_another_log() -> None:
    state = Tumbling()
    fed(state, 20_000, 21_000)
    assert state.includes(0, 0)
    assert state.includes(0, 1)
    assert not state.includes(0, 2)
    assert not state.includes(1, 0)


def test_a_silent_source_is_closed_by_its_neighbours_time_and_once() -> None:
    state = Tumbling()
    fed(state, 20_000)
    assert state.expired(TEN, 29_999) == []
    [span] = state.expired(TEN, 30_000)
    assert span.start_ms == 20_000
    assert state.add(TEN, 0, 1, 29_000, {"a": 1.0}).late == 1, "the span would be told of twice"


def test_several_widths_lie_side_by_side() -> None:
    state = Tumbling()
    spans = Spans((10_000, 60_000), grace_ms=0)
    over = fed(state, *range(0, 121_000, 1_000), spans=spans)
    assert [s.records for s in over if s.width_ms == 60_000] == [60, 60]
    assert [s.records for s in over if s.width_ms == 10_000] == [10] * 12


@given(st.lists(st.tuples(st.integers(0, 100_000), st.floats(-1e6, 1e6)), max_size=60))
def test_nothing_is_lost_or_counted_twice_and_the_table_forgets_nothing(readings: list[tuple[int, float]]) -> None:
    spans = Spans((7_000, 20_000), grace_ms=5_000)
    state, late, told = Tumbling(), 0, dict.fromkeys(spans.widths_ms, 0)
    for offset, (ts_ms, value) in enumerate(readings):
        late += state.add(spans, 0, offset, ts_ms, {"a": value}).late
        for span in state.closed(spans):
            assert span.start_ms % span.width_ms == 0
            assert span.stats["a"].count == span.records
            told[span.width_ms] += span.records
        state = Tumbling.from_bytes(state.to_bytes())
    kept = sum(span.records for span in state.open.values())
    assert sum(told.values()) + kept + late == 2 * len(readings)


@pytest.mark.parametrize("widths", [(), (0,), (-10,), (10, 10)])
def test_widths_that_cannot_be_are_refused(widths: tuple[int, ...]) -> None:
    with pytest.raises(ConfigError, match="widths"):
        Spans(widths, grace_ms=0)


def test_a_table_of_another_layout_is_refused() -> None:
    with pytest.raises(ValueError, match="layout is 2"):
        Tumbling.from_bytes(b"[2,0,0,0,[]]")


def test_a_source_that_invents_names_keeps_what_it_has_and_fits_into_a_record() -> None:
    state = Tumbling()
    assert state.add(TEN, 0, 0, 20_000, {"a": 1.0}) == Added(late=0, left_out=0)
    left_out = 0
    for offset in range(1, 1_000):
        invented = {f"{offset}.{i}\n" * 10: 1.0 / 3 for i in range(20)}
        left_out += state.add(TEN, 0, offset, 20_000 + offset, {"a": 2.0, **invented}).left_out
    assert left_out > 10_000
    assert MAX_STATE_BYTES / 2 < len(state.to_bytes()) <= MAX_STATE_BYTES
    [span] = state.closed(Spans((10_000,), grace_ms=-10_000))
    assert span.stats["a"].count == 1_000
    # Once the span is over there is room again.
    assert state.add(TEN, 0, 1_000, 50_000, {"b": 1.0}) == Added(late=0, left_out=0)


def test_a_sensor_of_many_features_keeps_them_all_where_spans_of_several_widths_are_open() -> None:
    state, spans = Tumbling(), Spans((10_000, 60_000), grace_ms=5_000)
    values = {f"feature-{i}": -1 / 3 * 10.0 ** (i % 300 - 250) for i in range(1_000)}
    for offset, ts_ms in enumerate(range(50_000, 65_000, 500)):
        assert state.add(spans, 0, offset, ts_ms, values) == Added(late=0, left_out=0)
    assert len(state.open) == 4
    assert len(state.to_bytes()) < MAX_STATE_BYTES
