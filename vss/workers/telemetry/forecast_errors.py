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


_Due = tuple[_Open, int, int]
"""A forecast, the place of the window that reaches past it, and by how many periods the window is newer."""


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
        windows, period_ms, width = group.windows, said.period_ms, group.windows.values.shape[1]
        drift_ms = windows.end_ms - windows.start_ms - (width - 1) * period_ms
        regular = (2 * np.abs(drift_ms) <= period_ms).tolist()
        due: list[_Due] = []
        begun: dict[bytes, int] = {}
        for i, (record, end_ms) in enumerate(zip(group.records, windows.end_ms.tolist(), strict=True)):
            key = record.key or b""
            if key in begun:
                continue
            if (one := self._open.get(key)) is not None:
                ahead, horizon = round((end_ms - one.made_ms) / period_ms), one.bands.shape[1]
                if 0 <= ahead < horizon:
                    continue
                if regular[i] and horizon <= ahead <= width:
                    due.append((one, i, ahead))
            begun[key] = i
        if due:
            _score(due, windows.values)
        if begun:
            self._begin(begun, group, said)

    def _begin(self, begun: dict[bytes, int], group: ScoredGroup, said: Forecasts) -> None:
        places = np.array(list(begun.values()), np.intp)
        bands = np.stack((said.forecast[places], said.lower[places], said.upper[places]), axis=1)
        scales = _deviations(group.windows.values[places])
        ends = group.windows.end_ms[places].tolist()
        means = self._means_of(group, said)
        sound = [bool(np.isfinite(band).all()) for band in bands]
        for j, key in enumerate(begun):
            if (old := self._open.pop(key, None)) is not None:
                self._bytes -= old.bands.nbytes
            if not sound[j]:
                continue  # its window failed
            # Copies: a view would keep the whole batch.
            self._open[key] = _Open(means, ends[j], bands[j].copy(), scales[j].copy())
            self._bytes += bands[j].nbytes
        while len(self._open) > _MOST_SENSORS or self._bytes > _MOST_BYTES:
            self._bytes -= self._open.pop(next(iter(self._open))).bands.nbytes

    def _means_of(self, group: ScoredGroup, said: Forecasts) -> ForecastMeans:
        version = group.name, group.version
        found = self._means.pop(version, None)
        if found is None:
            found = ForecastMeans(self._metrics, *version, features=said.features, horizon=said.horizon)
        self._means[version] = found  # the last of them
        if len(self._means) > _MOST_VERSIONS:
            self._means.pop(next(iter(self._means))).clear()
        return found


def _score(due: list[_Due], values: NDArray[np.float32]) -> None:
    by_version: dict[int, list[_Due]] = defaultdict(list)
    for one in due:
        by_version[id(one[0].means)].append(one)
    width = values.shape[1]
    for ones in by_version.values():
        horizon = ones[0][0].bands.shape[1]
        came = np.stack([values[i, width - ahead : width - ahead + horizon] for _, i, ahead in ones])
        bands = np.stack([one.bands for one, _, _ in ones])
        scale = np.stack([one.scale for one, _, _ in ones])[:, None, :]
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
