"""Weights in 8 bits, a scale for each output channel.

CPUs without VNNI multiply with `vpmaddubsw`, which adds two neighbouring products in 16 bits and saturates: 255 · 127 ·
2 is twice what fits. `reduced` keeps to 7 bits, which never saturates and doubles the rounding error. `paired` keeps
only neighbours whose sum could saturate below it: most channels give up a third of a bit instead of a whole one.
"""

from __future__ import annotations

from typing import Final, Literal

import numpy as np
from numpy.typing import NDArray

WeightMethod = Literal["full", "reduced", "paired"]
Weights = NDArray[np.float32]

_LARGEST: Final = 127
_LARGEST_REDUCED: Final = 64
# 255 · 128 is the largest multiple of 255 below 2^15.
_LARGEST_PAIR: Final = 128
# Below it, floats lose digits: a scale rounded there could be a tenth too small. Such weights are zeros to any model.
_SMALLEST_SCALE: Final = np.finfo(np.float32).tiny


def choose_scales(weights: Weights, method: WeightMethod) -> NDArray[np.float32]:
    """What one step of each output channel's weights is worth.

    Args:
        weights: Of a convolution or of a matrix product: shape (outputs, inputs, ...).
        method: How many of the steps may be used.

    Returns:
        Shape (outputs,), above 0.
    """
    rows = np.abs(weights.reshape(len(weights), -1))
    largest = rows.max(axis=1, initial=0.0)
    if method == "paired":
        scales = np.maximum(largest / _LARGEST, _largest_pairs(weights) / (_LARGEST_PAIR - 1))
    else:
        scales = largest / (_LARGEST if method == "full" else _LARGEST_REDUCED)
    return np.where(scales > 0, np.maximum(scales, _SMALLEST_SCALE), 1).astype(np.float32)


def on_grid(weights: Weights, scales: NDArray[np.float32]) -> Weights:
    """The weights as 8 bits will hold them, still real numbers."""
    shape = (-1,) + (1,) * (weights.ndim - 1)
    steps = scales.reshape(shape)
    rounded: Weights = (np.clip(np.rint(weights / steps), -_LARGEST, _LARGEST) * steps).astype(np.float32)
    return rounded


def _largest_pairs(weights: Weights) -> NDArray[np.float32]:
    """The largest sum of two neighbours of one sign, in the order in which they are multiplied: channels innermost.

    Neighbours that a multiplication does not pair are looked at too: how a row is cut is the kernel's business.
    """
    last = np.moveaxis(weights, 1, -1).reshape(len(weights), -1)
    if last.shape[1] < 2:
        return np.zeros(len(weights), np.float32)
    ups, downs = np.maximum(last, 0), np.maximum(-last, 0)
    pairs = [np.maximum(half[:, :-1] + half[:, 1:], 0).max(axis=1) for half in (ups, downs)]
    largest: NDArray[np.float32] = np.maximum(*pairs)
    return largest
