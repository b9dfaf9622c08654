"""Models for tests of the step: plain NumPy in the place of a runtime, answered at once or when the test says so."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from concurrent.futures import Future
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

from vss.model_store.serving.windows import Scoring
from vss.model_store.tasks.series.anomaly import AnomalyTask
from vss.model_store.tasks.series.forecast import ForecastTask
from vss.model_store.tasks.series.imputing import impute
from vss.model_store.tasks.series.results import AnomalyScores, Forecasts, ScoredWindows
from vss.model_store.tasks.series.spec import SeriesSpec

Array = NDArray[np.float32]


@dataclass
class NumpyServer:
    """A `WindowServer`.

    Attributes:
        spec: What the model says of itself.
        task: `anomaly` or `forecast`.
        errors: Raised by the next calls, in order.
        failing: Places that fail alone, in the next call.
        held: Whether calls are answered only by `release`.
        asked: What was submitted: windows, keys, models.
    """

    spec: SeriesSpec
    task: str = "anomaly"
    errors: list[Exception] = field(default_factory=list)
    failing: Mapping[int, Exception] = field(default_factory=dict)
    held: bool = False
    asked: list[tuple[Array, list[bytes], Sequence[str | None] | None]] = field(default_factory=list)
    closed: bool = False

    def __post_init__(self) -> None:
        self._waiting: list[tuple[Future[ScoredWindows], ScoredWindows | Exception]] = []

    def submit_windows(
        self, windows: Array, keys: Sequence[bytes], models: Sequence[str | None] | None, task: str
    ) -> list[Scoring]:
        assert task == self.task
        self.asked.append((windows.copy(), list(keys), models))
        if models is None:
            return [self._scoring(windows, np.arange(len(windows)), "pump")]
        named: dict[str, list[int]] = {}
        for i, model in enumerate(models):
            named.setdefault(model or "pump", []).append(i)
        return [self._scoring(windows, np.array(places), name) for name, places in named.items()]

    def release(self) -> None:
        """Answers what is held."""
        for future, answer in self._waiting:
            if isinstance(answer, Exception):
                future.set_exception(answer)
            else:
                future.set_result(answer)
        self._waiting.clear()

    def close(self) -> None:
        self.closed = True

    def _scoring(self, windows: Array, places: NDArray[np.intp], name: str) -> Scoring:
        future: Future[ScoredWindows] = Future()
        answer = self.errors.pop(0) if self.errors else self._answer(windows[places], name)
        self._waiting.append((future, answer))
        if not self.held:
            self.release()
        return Scoring(places, future)

    def _answer(self, windows: Array, name: str) -> ScoredWindows:
        filled, imputed = impute(windows, self.spec.impute, self.spec.fallback)
        value = anomalies(filled, self.spec) if self.task == "anomaly" else persistence(filled, self.spec)
        failed, self.failing = dict(self.failing), {}
        return ScoredWindows(name, "2", value, failed, imputed, 0.001, 0.002, 0.003)


def anomalies(windows: Array, spec: SeriesSpec) -> AnomalyScores:
    """How far the newest value of each feature lies from the mean of its window."""
    distance = np.abs(windows[:, -1] - windows.mean(axis=1)).astype(np.float32)
    return AnomalyTask(spec).result([distance.max(axis=1), distance])


def persistence(windows: Array, spec: SeriesSpec) -> Forecasts:
    """The newest value, again and again, give or take one."""
    assert spec.horizon is not None
    forecast = np.repeat(windows[:, -1:], spec.horizon, axis=1)
    return ForecastTask(spec).result([forecast, forecast - 1, forecast + 1])


def anomaly_spec(**changes: Any) -> SeriesSpec:
    """Of windows of 4 readings of two features."""
    given: dict[str, Any] = {
        "features": ("pressure", "flow"),
        "window": 4,
        "period_ms": 1000,
        "fallback": (1.0, 30.0),
        "threshold": 1.0,
    }
    return SeriesSpec.model_validate(given | changes)


def forecast_spec(**changes: Any) -> SeriesSpec:
    """The same, with a horizon of 2."""
    return anomaly_spec(horizon=2, **changes)
