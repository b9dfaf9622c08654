"""How far forecasts were from what came.

Of a sensor one forecast at a time is held against the readings that follow: when a window is looked at that reaches to
the forecast's horizon, the window's end is what came. Nothing is kept by reading, so it costs next to nothing; and a
window with a gap or a reading out of step is passed over rather than compared with the wrong moment.
"""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass
from typing import Final

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


@dataclass(frozen=True, slots=True)
class _Met:
    """A forecast and the window that reaches to its horizon.

    Attributes:
        forecast: From an earlier batch, or the place of the window in this one that it was made of.
        window: Place of the window that tells what came.
        ahead: By how many periods that window is newer.
    """

    forecast: _Open | int
    window: int
    ahead: int


class ForecastErrors:
    """Keeps `vss_forecast_error` and `vss_forecast_interval_coverage`. For the loop's thread.

    Args:
        metrics: Where they are.
    """

    def __init__(self, metrics: Metrics) -> None:
        self._metrics = metrics
        self._open: dict[bytes, _Open] = {}
        self._bytes = 0
        self._means: dict[tuple[str, str], ForecastMeans] = {}

    def saw(self, group: ScoredGroup) -> None:
        """Forecasts were made; their windows are what came of earlier ones.

        Args:
            group: In the order of the readings.
        """
        said: Forecasts = group.value
        met, begun = self._meet(group, said)
        sources = sorted({*begun.values(), *(one.forecast for one in met if isinstance(one.forecast, int))})
        if not sources:
            return
        made = self._made(group, said, sources)
        if met:
            known = [(made.get(one.forecast) if isinstance(one.forecast, int) else one.forecast, one) for one in met]
            _score([(forecast, one) for forecast, one in known if forecast is not None], group.windows.values)
        for key, place in begun.items():
            if (old := self._open.pop(key, None)) is not None:
                self._bytes -= old.bands.nbytes
            if (forecast := made.get(place)) is not None:
                self._open[key] = forecast
                self._bytes += forecast.bands.nbytes
        while len(self._open) > _MOST_SENSORS or self._bytes > _MOST_BYTES:
            self._bytes -= self._open.pop(next(iter(self._open))).bands.nbytes

    def _meet(self, group: ScoredGroup, said: Forecasts) -> tuple[list[_Met], dict[bytes, int]]:
        """Which forecasts have met what came, and from which windows the next ones are; by sensor, the last of them."""
        windows, period_ms, width = group.windows, said.period_ms, group.windows.values.shape[1]
        drift_ms = windows.end_ms - windows.start_ms - (width - 1) * period_ms
        regular: list[bool] = np.less_equal(2 * np.abs(drift_ms), period_ms).tolist()
        ends = windows.end_ms.tolist()
        met: list[_Met] = []
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
                ahead = round((ends[i] - made_ms) / period_ms)
                if 0 <= ahead < horizon:
                    continue
                if regular[i] and horizon <= ahead <= width:
                    met.append(_Met(forecast, i, ahead))
            begun[key] = i
        return met, begun

    def _made(self, group: ScoredGroup, said: Forecasts, sources: list[int]) -> dict[int, _Open]:
        """The forecasts made of some windows, without those that failed."""
        places = np.array(sources, np.intp)
        bands = np.stack((said.forecast[places], said.lower[places], said.upper[places]), axis=1)
        scales = _deviations(group.windows.values[places])
        ends = group.windows.end_ms[places].tolist()
        means = self._means_of(group, said)
        # Copies: a view would keep the whole batch.
        return {
            place: _Open(means, ends[j], bands[j].copy(), scales[j].copy())
            for j, place in enumerate(sources)
            if np.isfinite(bands[j]).all()
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


def _score(met: list[tuple[_Open, _Met]], values: NDArray[np.float32]) -> None:
    by_version: dict[int, list[tuple[_Open, _Met]]] = defaultdict(list)
    for one in met:
        by_version[id(one[0].means)].append(one)
    width = values.shape[1]
    for ones in by_version.values():
        horizon = ones[0][0].bands.shape[1]
        begins = [(at.window, width - at.ahead) for _, at in ones]
        came = np.stack([values[window, begin : begin + horizon] for window, begin in begins])
        bands = np.stack([forecast.bands for forecast, _ in ones])
        scale = np.stack([forecast.scale for forecast, _ in ones])[:, None, :]
        ones[0][0].means.add(came, bands, scale)


def _deviations(windows: NDArray[np.float32]) -> NDArray[np.float32]:
    """(m, F) standard deviation of each feature in each of m windows; what is missing is left out, 0 where all is."""
    known = np.isfinite(windows)
    count = np.maximum(known.sum(axis=1), 1)
    values = np.where(known, windows, np.float32(0))
    mean = values.sum(axis=1) / count
    squares = np.where(known, (values - mean[:, None]) ** 2, 0.0)
    deviations: NDArray[np.float32] = np.sqrt(squares.sum(axis=1) / count).astype(np.float32)
    return deviations
