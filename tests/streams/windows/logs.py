"""Logs of readings that go wrong in every way, and the windows over them."""

from __future__ import annotations

import itertools
import math
from collections.abc import Sequence

import numpy as np
from hypothesis import strategies as st

from tests.streams.windows.reference import Reading, Rules, Seen, same
from vss.config import WindowSettings
from vss.metrics import Metrics
from vss.schemas.envelope import TopicPartition
from vss.streams.windows.arrivals import Arrival
from vss.streams.windows.keyed_windows import KeyedWindows
from vss.streams.windows.layout import WindowLayout

PLACE = TopicPartition("in", 0)
FEATURES = ("a", "b")


@st.composite
def rules(draw: st.DrawFn) -> Rules:
    """Windows small enough that everything happens soon."""
    window = draw(st.integers(1, 4))
    return Rules(
        window=window,
        lateness_ms=draw(st.sampled_from([0, 5, 25, 1000])),
        expire_after_ms=draw(st.sampled_from([15, 40, 10_000])),
        max_rewind=draw(st.sampled_from([2 * window, 12, 25, 1000])),
        stride=draw(st.integers(1, window)),
    )


@st.composite
def logs(draw: st.DrawFn, *, keys: int = 3, size: int = 40) -> list[Reading]:
    """A partition: steps forward mostly, and back, twice, with gaps in time and in offsets, with values missing."""
    log: list[Reading] = []
    offset = draw(st.integers(0, 5))
    clocks = dict.fromkeys(range(keys), 1000)
    for _ in range(draw(st.integers(0, size))):
        key = draw(st.integers(0, keys - 1))
        step = draw(st.sampled_from([10, 10, 10, 10, 5, 0, -5, -10, -30, 45, 300]))
        ts_ms = clocks[key] + step
        clocks[key] = draw(st.sampled_from([ts_ms, max(ts_ms, clocks[key])]))
        missing = draw(st.integers(0, 5)) == 0
        log.append(Reading(b"k%d" % key, offset, ts_ms, (float(offset), math.nan if missing else float(ts_ms))))
        offset += draw(st.sampled_from([1, 1, 1, 2, 7]))
    return log


def keyed_windows(rules: Rules, **settings: int) -> KeyedWindows:
    """What the rules say."""
    return KeyedWindows(
        WindowLayout(FEATURES, rules.window, rules.period_ms),
        WindowSettings(
            stride=rules.stride,
            lateness_ms=rules.lateness_ms,
            expire_after_ms=rules.expire_after_ms,
            max_rewind=rules.max_rewind,
            **settings,
        ),
        step="test",
        metrics=Metrics(),
    )


def take(
    windows: KeyedWindows,
    batch: Sequence[Reading],
    *,
    runs: Sequence[tuple[TopicPartition, int]] | None = None,
    rebuilding: bool = False,
) -> list[Seen]:
    """Takes a batch in; what became of each reading. The windows are made of what came out, not of what went in."""
    columns = (
        np.array([reading.offset for reading in batch], np.int64),
        np.array([reading.ts_ms for reading in batch], np.int64),
        np.array([reading.values for reading in batch], np.float32).reshape(-1, len(FEATURES)),
    )
    keys = [reading.key for reading in batch]
    taken = windows.take(runs or [(PLACE, len(batch))], keys, *columns, rebuilding=rebuilding)
    seen = [Seen(Arrival(status).name.lower()) for status in taken.status.tolist()]
    if len(taken.due):
        found = windows.gather(taken)
        for i, place in enumerate(taken.due.tolist()):
            rows = found.values[i]
            readings = tuple(Reading(batch[place].key, int(row[0]), 0, tuple(row.tolist())) for row in rows)
            assert found.first_offset[i] == min(reading.offset for reading in readings)
            assert found.end_ms[i] == batch[place].ts_ms
            assert found.missing[i] == np.isnan(rows).sum()
            seen[place] = Seen("due", readings)
    return seen


def assert_same(found: Sequence[Seen], expected: Sequence[Seen]) -> None:
    """The first value of each reading is its offset, so that windows can be told apart by their values."""
    assert [seen.status for seen in found] == [seen.status for seen in expected]
    for one, other in zip(found, expected, strict=True):
        assert [r.offset for r in one.window] == [r.offset for r in other.window]
        for mine, theirs in zip(one.window, other.window, strict=True):
            assert all(map(same, mine.values, theirs.values))


def cut(log: Sequence[Reading], places: Sequence[int]) -> list[Sequence[Reading]]:
    """A log in batches."""
    edges = [0, *sorted(place % (len(log) + 1) for place in places), len(log)]
    return [log[a:b] for a, b in itertools.pairwise(edges) if a < b]
