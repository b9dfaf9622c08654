from __future__ import annotations

import numpy as np
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays

from vss.model_store.tasks.series.imputing import impute

NAN = float("nan")


def test_hold_takes_the_last_value_and_before_the_first_the_training_mean() -> None:
    window = np.array([[[NAN, 1], [2, NAN], [NAN, np.inf], [3, NAN]]], np.float32)

    filled, counts = impute(window, "hold", [9, 8])

    assert filled[0].tolist() == [[9, 1], [2, 1], [2, 1], [3, 1]]
    assert counts.tolist() == [5]
    assert np.isnan(window[0, 0, 0]), "what comes in is left as it is"


def test_mean_takes_the_training_mean_everywhere() -> None:
    window = np.array([[[1, NAN], [NAN, 4]], [[1, 2], [3, 4]]], np.float32)

    filled, counts = impute(window, "mean", [9, 8])

    assert filled[0].tolist() == [[1, 8], [9, 4]]
    assert filled[1].tolist() == [[1, 2], [3, 4]]
    assert counts.tolist() == [2, 0]


def test_windows_that_lack_nothing_are_not_copied() -> None:
    windows = np.ones((3, 4, 2), np.float32)

    filled, counts = impute(windows, "hold", [0, 0])

    assert filled is windows
    assert counts.tolist() == [0, 0, 0]


@given(arrays.arrays(np.float32, (3, 5, 2), elements=st.sampled_from([NAN, np.inf, -np.inf, 1.0, 2.0, 3.0])))
def test_holding_is_what_a_loop_over_the_readings_does(
    windows: np.ndarray[tuple[int, ...], np.dtype[np.float32]],
) -> None:
    fallback = (7.0, 8.0)
    expected = windows.copy()
    for window in expected:
        for feature, last in enumerate(fallback):
            for reading in window:
                if not np.isfinite(reading[feature]):
                    reading[feature] = last
                last = reading[feature]

    filled, counts = impute(windows, "hold", fallback)

    assert np.array_equal(filled, expected)
    assert counts.tolist() == (~np.isfinite(windows)).sum(axis=(1, 2)).tolist()
