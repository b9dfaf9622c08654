import numpy as np
import pytest
from hypothesis import example, given
from hypothesis import strategies as st
from hypothesis.extra import numpy as npst

from vss.model_store.quantisation.weights import WeightMethod, choose_scales, on_grid

SHAPES = st.tuples(st.integers(1, 4), st.integers(1, 7), st.integers(1, 3), st.integers(1, 3))
WEIGHTS = npst.arrays(np.float32, SHAPES, elements=st.floats(-8, 8, width=32))


def steps(weights: np.ndarray, method: WeightMethod) -> np.ndarray:
    """The integers that the weights become, in the order in which a kernel multiplies; shape (outputs, ...)."""
    scales = choose_scales(weights, method)
    whole = np.rint(on_grid(weights, scales) / scales[:, None, None, None]).astype(np.int64)
    ordered: np.ndarray = np.moveaxis(whole, 1, -1).reshape(len(weights), -1)
    return ordered


@given(WEIGHTS)
@example(np.full((1, 2, 1, 1), 6.46e-43, np.float32))
@pytest.mark.parametrize("method", ["paired", "reduced"])
def test_no_two_products_of_neighbours_overflow_16_bits(method: WeightMethod, weights: np.ndarray) -> None:
    whole = steps(weights, method)
    for first, second in zip(whole.T[:-1], whole.T[1:], strict=True):
        for a in (0, 255):
            for b in (0, 255):
                assert np.abs(a * first + b * second).max() < 2**15


@given(WEIGHTS)
def test_paired_weights_are_never_coarser_than_reduced_ones(weights: np.ndarray) -> None:
    full, paired, reduced = (choose_scales(weights, m) for m in ("full", "paired", "reduced"))
    assert (full <= paired).all()
    # Half a step is left for rounding.
    assert (paired <= reduced * 64 / 63.5 * 1.0001).all()
    # A weight is off by half a step at most.
    error = np.abs(on_grid(weights, paired) - weights).reshape(len(weights), -1).max(axis=1, initial=0)
    assert (error <= paired * 0.5001).all()


def test_8_bits_overflow_where_paired_ones_do_not() -> None:
    weights = np.array([[[[1.0]], [[1.0]]], [[[1.0]], [[-1.0]]]], np.float32)
    assert 255 * steps(weights, "full")[0].sum() >= 2**15
    assert steps(weights, "paired")[0].tolist() == [64, 64]
    # One up and one down can never add up: all steps are used.
    assert steps(weights, "paired")[1].tolist() == [127, -127]


def test_a_channel_of_nothing_but_0_has_a_scale_all_the_same() -> None:
    weights = np.zeros((2, 3, 1, 1), np.float32)
    assert (choose_scales(weights, "paired") > 0).all()
    assert not on_grid(weights, choose_scales(weights, "paired")).any()
