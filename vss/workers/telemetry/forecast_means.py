"""The mean error of one version's forecasts, and how many values its intervals held."""

from __future__ import annotations

import contextlib
from typing import Final

import numpy as np
from numpy.typing import NDArray
from prometheus_client import Gauge

from vss.metrics import Metrics

_GROUPS: Final = 4
_MEMORY: Final = 10_000
"""Values of a feature and a step that a mean is of at most; older ones count half, then a quarter, …."""


class ForecastMeans:
    """Keeps the metrics of one version.

    Args:
        metrics: Where they are.
        name: Of the model.
        version: Of the model.
        features: That it foretells.
        horizon: Steps that it foretells.
    """

    def __init__(self, metrics: Metrics, name: str, version: str, *, features: tuple[str, ...], horizon: int) -> None:
        self._labels = name, version
        self._features = features
        self._error_gauge, self._coverage_gauge = metrics.forecast_error, metrics.forecast_coverage
        parts = np.array_split(np.arange(1, horizon + 1), min(_GROUPS, horizon))
        self._steps = [f"{part[0]}-{part[-1]}" if len(part) > 1 else f"{part[0]}" for part in parts]
        self._begins = [int(part[0]) - 1 for part in parts]
        shape = horizon, len(features)
        self._errors, self._measured = np.zeros(shape), np.zeros(shape)
        self._inside, self._known = np.zeros(len(features)), np.zeros(len(features))

    def add(
        self,
        steps: NDArray[np.int64],
        came: NDArray[np.float32],
        bands: NDArray[np.float32],
        scale: NDArray[np.float32],
    ) -> None:
        """Readings came that were foretold.

        Args:
            steps: (m,) of the forecast, from 1.
            came: (m, F), NaN where a value is missing.
            bands: (m, 3, F) forecast, lower and upper.
            scale: (m, F) unit of the error, 0 for none.
        """
        known = np.isfinite(came)
        measured = known & (scale > 0)
        error = np.where(measured, np.abs(came - bands[:, 0]), 0.0) / np.where(scale > 0, scale, 1)
        inside = (came >= bands[:, 1]) & (came <= bands[:, 2])
        if self._measured.max() > _MEMORY:
            for sums in (self._errors, self._measured, self._inside, self._known):
                sums /= 2
        np.add.at(self._errors, steps - 1, error)
        np.add.at(self._measured, steps - 1, measured)
        self._inside += inside.sum(axis=0)
        self._known += known.sum(axis=0)
        self._show()

    def clear(self) -> None:
        """The version serves no more."""
        for feature in self._features:
            for steps in self._steps:
                self._drop(self._error_gauge, feature, steps)
            self._drop(self._coverage_gauge, feature)

    def _show(self) -> None:
        errors = np.add.reduceat(self._errors, self._begins, axis=0)
        measured = np.add.reduceat(self._measured, self._begins, axis=0)
        for column, feature in enumerate(self._features):
            for row, steps in enumerate(self._steps):
                if measured[row, column]:
                    mean = errors[row, column] / measured[row, column]
                    self._error_gauge.labels(*self._labels, feature, steps).set(mean)
            if self._known[column]:
                share = self._inside[column] / self._known[column]
                self._coverage_gauge.labels(*self._labels, feature).set(share)

    def _drop(self, gauge: Gauge, *labels: str) -> None:
        with contextlib.suppress(KeyError):  # nothing was ever measured
            gauge.remove(*self._labels, *labels)
