"""The step that all contenders do: how far a sensor's newest reading lies from the mean of its window."""

from __future__ import annotations

from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

WINDOW: Final = 100
STRIDE: Final = 10
PERIOD_MS: Final = 1000
FEATURES: Final = ("p", "q")


def rolling_scores(windows: NDArray[Any]) -> NDArray[np.float64]:
    """Standard deviations of the newest reading from its window's mean, the mean over the features: (m,).

    Args:
        windows: (m, W, F), oldest first.
    """
    values = windows.astype(np.float64)
    means = values.mean(axis=1)
    return np.asarray((np.abs(values[:, -1] - means) / values.std(axis=1)).mean(axis=1))
