"""What windows tell the outside."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from vss.metrics import Metrics
from vss.streams.windows.arrivals import Arrival
from vss.streams.windows.disorder import Anew
from vss.streams.windows.rings import Rings


class WindowReport:
    """Counts what one step's windows do.

    Args:
        step: The step's name, a label of each metric.
        metrics: Where it is counted.
    """

    def __init__(self, step: str, metrics: Metrics) -> None:
        self._keys = metrics.window_keys.labels(step)
        self._bytes = metrics.window_bytes.labels(step)
        self._readings = [metrics.window_readings.labels(step, arrival.name.lower()) for arrival in Arrival]
        self._missing = metrics.window_missing.labels(step)
        self._rebuilt = metrics.window_rebuilt.labels(step)
        self._gap = metrics.window_restarts.labels(step, "gap")
        self._reach = metrics.window_restarts.labels(step, "reach")

    def took(self, status: NDArray[np.uint8], missing: int, anew: Anew) -> None:
        """A batch was taken in.

        Args:
            status: (n,) an `Arrival` of each reading.
            missing: Values that they lacked.
            anew: Windows that started anew with one of them.
        """
        for counter, count in zip(self._readings, np.bincount(status, minlength=len(Arrival)).tolist(), strict=True):
            if count:
                counter.inc(count)
        if missing:
            self._missing.inc(missing)
        if anew.gap:
            self._gap.inc(anew.gap)
        if anew.reach:
            self._reach.inc(anew.reach)

    def rebuilt(self, readings: int) -> None:
        """Readings of before the commit were taken in."""
        self._rebuilt.inc(readings)

    def holds(self, rings: Rings) -> None:
        """How much is held now."""
        self._keys.set(rings.held)
        self._bytes.set(rings.size_bytes)
