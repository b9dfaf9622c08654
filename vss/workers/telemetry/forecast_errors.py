"""How far forecasts were from what came.

Of a sensor one forecast at a time is held against the readings that follow, each against the step that it is nearest to
in time; when its horizon has passed, the next one is. What came is the newest reading of each window that is looked at.
With a stride some readings have no window of their own: then it is the end of the first window that reaches to the
horizon, unless it has a gap, for where in it which moment stands is not known.
"""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass
from typing import Final, NamedTuple

import numpy as np
from numpy.typing import NDArray

from vss.metrics import Metrics
from vss.model_store.tasks.series.results import Forecasts
from vss.workers.telemetry.events import ScoredGroup
from vss.workers.telemetry.forecast_means import ForecastMeans

_MOST_SENSORS: Final = 10_000
_MOST_BYTES: Final = 64 << 20
_MOST_VERSIONS: Final = 4
"""That metrics are kept of; two serve at once while a canary is tried."""


@dataclass(frozen=True, slots=True)
class _Open:
    """A forecast whose horizon has not passed.

    Attributes:
        means: Of the version that made it.
        made_ms: Event time of the newest reading it was made of.
        bands: (3, H, F) forecast, lower and upper.
        scale: (F,) standard deviation of each feature in its window, the unit of its error; 0 where it did not change.
    """

    means: ForecastMeans
    made_ms: int
    bands: NDArray[np.float32]
    scale: NDArray[np.float32]


class _Came(NamedTuple):
    """A value that a forecast foretold has come.

    Attributes:
        forecast: From an earlier batch, or the place of the window in this one that it was made of.
        window: Place of the window that holds the value.
        row: Of the window.
        step: Of the forecast, from 1.
    """

    forecast: _Open | int
    window: int
    row: int
    step: int


class ForecastErrors:
    """Keeps `vss_forecast_error` and `vss_forecast_interval_coverage`. For the loop's thread.

    Args:
        metrics: Where they are.
        every_reading: Whether each reading has a window of its own, once its sensor's is full.
    """

    def __init__(self, metrics: Metrics, *, every_reading: bool = True) -> None:
        self._metrics = metrics
        self._every_reading = every_reading
        self._open: dict[bytes, _Open] = {}
        self._bytes = 0
        self._means: dict[tuple[str, str], ForecastMeans] = {}

    def saw(self, group: ScoredGroup) -> None:
        """Forecasts were made; their windows are what came of earlier ones.

        Args:
            group: In the order of the readings.
        """
        said: Forecasts = group.value
        came, begun = self._look_through(group, said)
        sources = sorted({*begun.values(), *(one.forecast for one in came if isinstance(one.forecast, int))})
        made = self._made(group, said, sources) if sources else {}
        if came:
            known = [(made.get(one.forecast) if isinstance(one.forecast, int) else one.forecast, one) for one in came]
            _score([(forecast, one) for forecast, one in known if forecast is not None], group.windows.values)
        for key, place in begun.items():
            if (old := self._open.pop(key, None)) is not None:
                self._bytes -= old.bands.nbytes
            if (forecast := made.get(place)) is not None:
                self._open[key] = forecast
                self._bytes += forecast.bands.nbytes
        while len(self._open) > _MOST_SENSORS or self._bytes > _MOST_BYTES:
            self._bytes -= self._open.pop(next(iter(self._open))).bands.nbytes

    def _look_through(self, group: ScoredGroup, said: Forecasts) -> tuple[list[_Came], dict[bytes, int]]:
        """What came of which forecasts, and from which windows the next ones are; by sensor, the last of them."""
        windows, period_ms, width = group.windows, said.period_ms, group.windows.values.shape[1]
        drift_ms = windows.end_ms - windows.start_ms - (width - 1) * period_ms
        regular: list[bool] = np.less_equal(2 * np.abs(drift_ms), period_ms).tolist()
        ends = windows.end_ms.tolist()
        came: list[_Came] = []
        begun: dict[bytes, int] = {}
        for i, record in enumerate(group.records):
            key = record.key or b""
            forecast: _Open | int | None = begun.get(key)
            if forecast is None:
                forecast = self._open.get(key)
            if forecast is not None:
                made_ms, horizon = (
                    (ends[forecast], said.horizon)
                    if isinstance(forecast, int)
                    else (forecast.made_ms, forecast.bands.shape[1])
                )
                step = round((ends[i] - made_ms) / period_ms)
                if self._every_reading:
                    if 1 <= step <= horizon:
                        came.append(_Came(forecast, i, width - 1, step))
                elif regular[i] and horizon <= step <= width:
                    came += [_Came(forecast, i, width - 1 - step + one, one) for one in range(1, horizon + 1)]
                if 0 <= step < horizon:
                    continue
            begun[key] = i
        return came, begun

    def _made(self, group: ScoredGroup, said: Forecasts, sources: list[int]) -> dict[int, _Open]:
        """The forecasts made of some windows, without those that failed."""
        places = np.array(sources, np.intp)
        bands = np.stack((said.forecast[places], said.lower[places], said.upper[places]), axis=1)
        scales = _deviations(group.windows.values[places])
        ends = group.windows.end_ms[places].tolist()
        means = self._means_of(group, said)
        sound = np.isfinite(bands).reshape(len(bands), -1).min(axis=1)
        # Copies: a view would keep the whole batch.
        return {
            place: _Open(means, ends[j], bands[j].copy(), scales[j].copy())
            for j, (place, whole) in enumerate(zip(sources, sound.tolist(), strict=True))
            if whole
        }

    def _means_of(self, group: ScoredGroup, said: Forecasts) -> ForecastMeans:
        version = group.name, group.version
        found = self._means.pop(version, None)
        if found is None:
            found = ForecastMeans(self._metrics, *version, features=said.features, horizon=said.horizon)
        self._means[version] = found  # the last of them
        if len(self._means) > _MOST_VERSIONS:
            self._means.pop(next(iter(self._means))).clear()
        return found


def _score(came: list[tuple[_Open, _Came]], values: NDArray[np.float32]) -> None:
    by_version: dict[int, list[tuple[_Open, _Came]]] = defaultdict(list)
    for one in came:
        by_version[id(one[0].means)].append(one)
    for ones in by_version.values():
        ones[0][0].means.add(
            np.array([one.step for _, one in ones]),
            values[[one.window for _, one in ones], [one.row for _, one in ones]],
            np.stack([forecast.bands[:, one.step - 1] for forecast, one in ones]),
            np.stack([forecast.scale for forecast, _ in ones]),
        )


def _deviations(windows: NDArray[np.float32]) -> NDArray[np.float32]:
    """(m, F) standard deviation of each feature in each of m windows; what is missing is left out, 0 where all is."""
    known = np.isfinite(windows)
    count = np.maximum(known.sum(axis=1), 1)
    values = np.where(known, windows, np.float32(0))
    mean = values.sum(axis=1) / count
    squares = np.where(known, (values - mean[:, None]) ** 2, 0.0)
    deviations: NDArray[np.float32] = np.sqrt(squares.sum(axis=1) / count).astype(np.float32)
    return deviations
