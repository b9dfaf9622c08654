"""Forecasts: what the outputs of a model mean."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Final

import numpy as np
from numpy.typing import NDArray

from vss.config import ModelSettings
from vss.errors import ModelUnsupported
from vss.model_store.backends.model import Model
from vss.model_store.resolve import ModelRef
from vss.model_store.tasks.series.results import Forecasts
from vss.model_store.tasks.series.spec import SeriesSpec
from vss.model_store.tasks.series.task import Output, described, spec_of, trained
from vss.model_store.tasks.task import TaskKind

OUTPUTS: Final = ("forecast", "lower", "upper")


class ForecastTask:
    """Outputs to forecasts (see `SeriesTask`).

    Args:
        spec: What the model was trained with.

    Raises:
        ModelUnsupported: It says no horizon or no period.
    """

    def __init__(self, spec: SeriesSpec) -> None:
        if spec.horizon is None or spec.period_ms is None:
            raise ModelUnsupported("a forecast needs a horizon and a period", fix="train it with `vss train forecast`")
        self.spec = spec
        self._horizon, self._period_ms = spec.horizon, spec.period_ms
        shape = (spec.horizon, len(spec.features))
        self.outputs: Mapping[str, tuple[int, ...]] = dict.fromkeys(OUTPUTS, shape)
        self.facts: Mapping[str, str] = {
            **described(spec),
            "horizon": f"{spec.horizon} steps, {100 * spec.level:g} % intervals",
            **trained(spec),
        }

    def result(self, outputs: Sequence[Output]) -> Forecasts:
        """See `SeriesTask.result`."""
        forecast, lower, upper = outputs
        spec = self.spec
        return Forecasts(spec.features, self._horizon, self._period_ms, spec.level, forecast, lower, upper)

    def wrong(self, outputs: Sequence[Output]) -> NDArray[np.bool_]:
        """See `SeriesTask.wrong`; an interval whose ends are the wrong way round cannot be either."""
        forecast, lower, upper = outputs
        sound = np.isfinite(forecast) & np.isfinite(lower) & np.isfinite(upper) & (lower <= upper)
        wrong: NDArray[np.bool_] = np.logical_not(sound.all(axis=(1, 2)))
        return wrong


def load_forecast(ref: ModelRef, model: Model, settings: ModelSettings) -> ForecastTask:
    """The task of a forecast model (see `TaskLoader`)."""
    return ForecastTask(spec_of(ref, model, settings, OUTPUTS))


FORECAST: Final = TaskKind("forecast", load_forecast, takes="series", comparing=None)
