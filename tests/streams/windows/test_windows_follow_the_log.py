"""What windows hold follows from the log alone: not from batches, not from hand-overs, not from what was forgotten."""

from __future__ import annotations

from hypothesis import given, settings
from hypothesis import strategies as st

from tests.streams.windows.logs import PLACE, assert_same, cut, keyed_windows, logs, rules, take
from tests.streams.windows.reference import Reading, Rules, place, see_all
from vss.schemas.envelope import Commit, TopicPartition

EDGES = st.lists(st.integers(0, 200), max_size=12)


@settings(max_examples=150, deadline=None)
@given(rules=rules(), log=logs(), edges=EDGES)
def test_windows_are_what_the_plain_rule_says_wherever_batches_are_cut(
    rules: Rules, log: list[Reading], edges: list[int]
) -> None:
    windows = keyed_windows(rules)
    found = [seen for batch in cut(log, edges) for seen in take(windows, batch)]
    assert_same(found, see_all(log, rules))


@settings(max_examples=150, deadline=None)
@given(rules=rules(), log=logs(), edges=EDGES, again=EDGES, gone=st.lists(st.integers(0, 200), min_size=1, max_size=4))
def test_a_new_owner_goes_on_as_if_nothing_had_happened(
    rules: Rules, log: list[Reading], edges: list[int], again: list[int], gone: list[int]
) -> None:
    """At some edges the partition changes hands; the next owner knows the commit and reads from its rewind."""
    windows = keyed_windows(rules)
    found = []
    for number, batch in enumerate(cut(log, edges)):
        found += take(windows, batch)
        if number in [at % 6 for at in gone]:
            position = batch[-1].offset + 1
            commit = Commit(position, windows.memory([PLACE])[PLACE])
            windows = keyed_windows(rules)
            begin = windows.start(PLACE, commit)
            assert begin is not None
            assert begin <= position
            assert position - begin <= max(rules.max_rewind, 0)
            known = [reading for reading in log if begin <= reading.offset < position]
            for some in cut(known, again):
                assert windows.memory([PLACE]) == {PLACE: commit.metadata} or position == some[-1].offset + 1
                take(windows, some, rebuilding=True)
    assert_same(found, see_all(log, rules))


@settings(max_examples=60, deadline=None)
@given(rules=rules(), first=logs(), second=logs(), edges=EDGES)
def test_partitions_in_one_batch_do_not_touch_each_other(
    rules: Rules, first: list[Reading], second: list[Reading], edges: list[int]
) -> None:
    windows = keyed_windows(rules)
    other = TopicPartition("in", 1)
    found: dict[TopicPartition, list[object]] = {PLACE: [], other: []}
    mine, theirs = cut(first, edges), cut(second, edges[::-1])
    for i in range(max(len(mine), len(theirs))):
        a, b = list(mine[i]) if i < len(mine) else [], list(theirs[i]) if i < len(theirs) else []
        seen = take(windows, [*a, *b], runs=[(PLACE, len(a)), (other, len(b))])
        found[PLACE] += seen[: len(a)]
        found[other] += seen[len(a) :]
    assert_same(found[PLACE], see_all(first, rules))  # type: ignore[arg-type]
    assert_same(found[other], see_all(second, rules))  # type: ignore[arg-type]


@settings(max_examples=400, deadline=None)
@given(rules=rules(), log=logs(keys=1, size=30), begin=st.integers(0, 30))
def test_a_window_that_begins_later_is_the_same_once_nothing_from_before_is_left(
    rules: Rules, log: list[Reading], begin: int
) -> None:
    """What all else rests on (see `vss.streams.windows.arrivals`)."""
    whole: list[Reading] = []
    later: list[Reading] = []
    for at, reading in enumerate(log):
        _, whole = place(whole, reading, rules)
        if at >= begin:
            _, later = place(later, reading, rules)
            if all(held in log[begin:] for held in whole):
                assert later == whole
