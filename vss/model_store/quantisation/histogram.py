"""Histograms of a model's activations: what ranges are chosen from."""

from __future__ import annotations

from typing import Final

import numpy as np
from numpy.typing import NDArray

_BINS: Final = 4096
# Values of a tensor that are counted for each picture; its extremes are of all.
_SAMPLE: Final = 1 << 18
_SMALLEST_REACH: Final = 2.0**-20


class Histogram:
    """Counts values between -reach and reach in bins of one width, and remembers their extremes.

    Where a value lies outside, the reach is doubled and pairs of bins become one, so nothing has to be known of the
    values beforehand and they are looked at once.

    Attributes:
        lowest: The smallest value, at most 0.
        highest: The largest value, at least 0.
        counts: Shape (4096,); bin i counts values from -reach + i * width.
        reach: Half of what the bins cover.
    """

    def __init__(self) -> None:
        self.lowest = 0.0
        self.highest = 0.0
        self.counts: NDArray[np.int64] = np.zeros(_BINS, np.int64)
        self.reach = _SMALLEST_REACH

    @property
    def width(self) -> float:
        """Of a bin."""
        return 2 * self.reach / _BINS

    @property
    def centers(self) -> NDArray[np.float64]:
        """The middle of each bin; shape (4096,)."""
        return (np.arange(_BINS, dtype=np.float64) + 0.5) * self.width - self.reach

    def add(self, values: NDArray[np.float32]) -> None:
        """Counts values, of many every nth.

        Args:
            values: Any shape. What is not finite is left out.
        """
        flat = values.ravel()
        low, high = float(flat.min(initial=0.0)), float(flat.max(initial=0.0))
        if not (np.isfinite(low) and np.isfinite(high)):
            flat = flat[np.isfinite(flat)]
            low, high = float(flat.min(initial=0.0)), float(flat.max(initial=0.0))
        self.lowest, self.highest = min(self.lowest, low), max(self.highest, high)
        self._reach_to(max(-low, high))
        # An odd step walks through all columns and rows of a picture, whatever its size.
        sample = flat[:: (flat.size // _SAMPLE) | 1]
        bins = ((sample + np.float32(self.reach)) * np.float32(1 / self.width)).astype(np.int64)
        self.counts += np.bincount(bins.clip(0, _BINS - 1), minlength=_BINS)

    def _reach_to(self, value: float) -> None:
        while self.reach < value:
            inner = self.counts.reshape(_BINS // 2, 2).sum(axis=1)
            self.counts = np.zeros(_BINS, np.int64)
            self.counts[_BINS // 4 : _BINS // 4 * 3] = inner
            self.reach *= 2
