"""What stands in for values that are missing in a window, by the rule of the model that looks at it."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal

import numpy as np
from numpy.typing import NDArray

Windows = NDArray[np.float32]
"""Shape (n, readings, features), raw units, the oldest reading first; NaN where a value is missing."""


def impute(
    windows: Windows, rule: Literal["hold", "mean"], fallback: Sequence[float]
) -> tuple[Windows, NDArray[np.int32]]:
    """Fills what is missing, or infinite; what comes in is left as it is.

    Args:
        windows: Any number of them.
        rule: `hold` takes the last value before it in the window, and where there is none the fallback; `mean` takes
            the fallback.
        fallback: Of each feature, raw units.

    Returns:
        The windows, the same array where nothing is missing; and how many values were filled in each.
    """
    missing = ~np.isfinite(windows)
    counts: NDArray[np.int32] = missing.sum(axis=(1, 2), dtype=np.int32)
    holed = np.flatnonzero(counts)
    if not len(holed):
        return windows, counts
    filled = windows.copy()
    gaps = missing[holed]
    part = filled[holed]
    means = np.asarray(fallback, np.float32)
    if rule == "hold":
        # The place of the last value up to each reading; -1 before the first.
        places = np.where(gaps, -1, np.arange(part.shape[1], dtype=np.int32)[:, None])
        last = np.maximum.accumulate(places, axis=1)
        held = np.take_along_axis(part, np.maximum(last, 0), axis=1)
        filled[holed] = np.where(last < 0, means, held)
    else:
        filled[holed] = np.where(gaps, means, part)
    return filled, counts
