import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as npst

from vss.model_store.quantisation.histogram import Histogram

VALUES = npst.arrays(np.float32, st.integers(1, 50), elements=st.floats(-1e4, 1e4, width=32))


@settings(max_examples=40)
@given(st.lists(VALUES, min_size=1, max_size=6))
def test_every_value_is_counted_in_its_bin_whatever_came_before(batches: list[np.ndarray]) -> None:
    histogram = Histogram()
    for batch in batches:
        histogram.add(batch)
    values = np.concatenate(batches).astype(np.float64)
    assert histogram.counts.sum() == len(values)
    assert histogram.lowest == min(0.0, values.min())
    assert histogram.highest == max(0.0, values.max())
    # Bins that were merged since hold what lay in either half, so counts up to an edge are right to a bin.
    for i in range(0, len(histogram.counts), 512):
        edge = histogram.centers[i] + histogram.width / 2
        below = histogram.counts[: i + 1].sum()
        assert (values < edge - histogram.width).sum() <= below <= (values < edge + histogram.width).sum()


def test_what_is_not_finite_is_left_out() -> None:
    histogram = Histogram()
    histogram.add(np.array([np.nan, np.inf, -np.inf, 2.0], np.float32))
    assert (histogram.lowest, histogram.highest, histogram.counts.sum()) == (0.0, 2.0, 1)


def test_of_a_large_tensor_a_sample_is_counted_but_its_extremes_are_never_missed() -> None:
    values = np.random.default_rng(0).normal(size=(1, 8, 512, 512)).astype(np.float32)
    values[0, 3, 17, 5] = 99.0
    histogram = Histogram()
    histogram.add(values)
    assert histogram.highest == 99.0
    assert histogram.counts.sum() < values.size / 4
    mean = (histogram.counts * histogram.centers).sum() / histogram.counts.sum()
    assert mean == pytest.approx(0, abs=0.05)
