"""Which range of real values an activation's 256 steps shall cover: four ways, from its histogram.

A range always holds 0, which padding and ReLU need exactly.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Final, Literal

import numpy as np
from numpy.typing import NDArray

from vss.model_store.quantisation.histogram import Histogram

RangeMethod = Literal["minmax", "percentile", "entropy", "mse"]
Range = tuple[float, float]

_STEPS: Final = 255
_PERCENTILE: Final = 99.999
# How far the ends of a range are drawn in when the best is searched.
_SHARES: Final = np.concatenate([np.linspace(1.0, 0.5, 26), np.linspace(0.48, 0.1, 20)])


def choose_range(histogram: Histogram, method: RangeMethod) -> Range:
    """The range that one of the methods gives an activation.

    Args:
        histogram: Of its values.
        method: `minmax` takes all that was seen. `percentile` leaves out the outermost 0.001 % on either side.
            `mse` and `entropy` draw the ends in until the squared error, or the information that is lost
            (Kullback–Leibler, as TensorRT calibrates), is smallest.
    """
    return _METHODS[method](histogram)


def _minmax(histogram: Histogram) -> Range:
    return histogram.lowest, histogram.highest


def _percentile(histogram: Histogram) -> Range:
    total = histogram.counts.sum()
    if not total:
        return _minmax(histogram)
    share = np.cumsum(histogram.counts) / total
    left_out = 1 - _PERCENTILE / 100
    low = histogram.centers[np.searchsorted(share, left_out)] - histogram.width / 2
    high = histogram.centers[min(int(np.searchsorted(share, 1 - left_out)), len(share) - 1)] + histogram.width / 2
    return max(min(0.0, float(low)), histogram.lowest), min(max(0.0, float(high)), histogram.highest)


def _searched(loss: Callable[[Histogram, float, float], float]) -> Callable[[Histogram], Range]:
    def search(histogram: Histogram) -> Range:
        low, high = histogram.lowest, histogram.highest
        # The upper end first: what follows an activation function has nearly all of its range there.
        high *= _SHARES[int(np.argmin([loss(histogram, low, high * share) for share in _SHARES]))]
        low *= _SHARES[int(np.argmin([loss(histogram, low * share, high) for share in _SHARES]))]
        return low, high

    return search


def _squared_error(histogram: Histogram, low: float, high: float) -> float:
    if high <= low:
        return 0.0
    step = (high - low) / _STEPS
    clipped = np.clip(histogram.centers, low, high)
    # Within the range an error is spread evenly over a step.
    beyond = (histogram.centers - clipped) ** 2
    return float(((beyond + step**2 / 12) * histogram.counts).sum())


def _lost_information(histogram: Histogram, low: float, high: float) -> float:
    if high <= low:
        return 0.0
    centers, counts = histogram.centers, histogram.counts.astype(np.float64)
    inside = (centers >= low) & (centers <= high)
    if not inside.any():
        return np.inf
    reference = counts[inside].copy()
    # What lies beyond is clipped to the ends.
    reference[0] += counts[centers < low].sum()
    reference[-1] += counts[centers > high].sum()
    steps = np.rint((centers[inside] - low) / (high - low) * _STEPS).astype(np.int64)
    used = counts[inside] > 0
    totals = np.bincount(steps, counts[inside], minlength=_STEPS + 1)
    sharers = np.bincount(steps, used, minlength=_STEPS + 1)
    approximation = np.where(used, totals[steps] / np.maximum(sharers[steps], 1), 0.0)
    return _divergence(reference, approximation)


def _divergence(p: NDArray[np.float64], q: NDArray[np.float64]) -> float:
    """Kullback–Leibler, with a little everywhere so that it stays finite."""
    p = (p + 1e-4) / (p + 1e-4).sum()
    q = (q + 1e-4) / (q + 1e-4).sum()
    return float((p * np.log(p / q)).sum())


_METHODS: Final[Mapping[RangeMethod, Callable[[Histogram], Range]]] = {
    "minmax": _minmax,
    "percentile": _percentile,
    "entropy": _searched(_lost_information),
    "mse": _searched(_squared_error),
}
