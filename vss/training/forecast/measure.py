"""How good a model's file is on windows it never saw: errors on standardised values, and what its intervals hold."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Final

import numpy as np

from vss.training.forecast.windows import Floats, ForecastWindows, Scaling
from vss.training.series_file import run_file

_MOST_NUMBERS: Final = 1 << 25
"""In the windows of a call: 128 MB."""


@dataclass(frozen=True, slots=True)
class Measured:
    """Figures over all windows, steps and features; errors and widths in standard deviations of the training data.

    Attributes:
        windows: How many.
        mse: Mean square error.
        mae: Mean absolute error.
        coverage: Share of values within their intervals, 0..1.
        width: Mean width of the intervals.
        naive_mse: Mean square error of foretelling the window's last value.
        mse_by_step: Of each step.
        coverage_by_step: Of each step.
        coverage_by_feature: Of each feature.
        mse_by_feature: Of each feature.
    """

    windows: int
    mse: float
    mae: float
    coverage: float
    width: float
    naive_mse: float
    mse_by_step: tuple[float, ...]
    coverage_by_step: tuple[float, ...]
    coverage_by_feature: tuple[float, ...]
    mse_by_feature: tuple[float, ...]

    def document(self) -> dict[str, Any]:
        """As JSON holds it."""
        return asdict(self)


def measure_file(file: Path, windows: ForecastWindows, scaling: Scaling) -> Measured:
    """Runs a model over windows, as a worker would.

    Args:
        file: ONNX; takes raw units.
        windows: Standardised; where a value that was to come is not known, nothing is counted.
        scaling: That standardised them.
    """
    horizon, features = windows.horizon, windows.features
    counts = np.zeros((horizon, features))
    sums = {name: np.zeros((horizon, features)) for name in ("squares", "sizes", "within", "widths", "naive")}
    at_once = max(1, min(4_096, _MOST_NUMBERS // ((windows.lookback + horizon) * features)))
    for inputs, followed, known in windows.batches(at_once):
        outputs = run_file(file, raw(inputs, scaling))
        forecast, lower, upper = (_standardised(outputs[name], scaling) for name in ("forecast", "lower", "upper"))
        found = {
            "squares": np.square(forecast - followed),
            "sizes": np.abs(forecast - followed),
            "within": (followed >= lower) & (followed <= upper),
            "widths": upper - lower,
            "naive": np.square(inputs[:, -1:] - followed),
        }
        for name, values in found.items():
            sums[name] += np.where(known, values, 0).sum(axis=0, dtype=np.float64)
        counts += known.sum(axis=0)
    total = max(counts.sum(), 1.0)
    return Measured(
        windows=len(windows),
        mse=float(sums["squares"].sum() / total),
        mae=float(sums["sizes"].sum() / total),
        coverage=float(sums["within"].sum() / total),
        width=float(sums["widths"].sum() / total),
        naive_mse=float(sums["naive"].sum() / total),
        mse_by_step=_means(sums["squares"], counts, 1),
        coverage_by_step=_means(sums["within"], counts, 1),
        coverage_by_feature=_means(sums["within"], counts, 0),
        mse_by_feature=_means(sums["squares"], counts, 0),
    )


def raw(windows: Floats, scaling: Scaling) -> Floats:
    """Standardised values in raw units."""
    return (windows * scaling.deviation + scaling.mean).astype(np.float32)


def _standardised(values: Floats, scaling: Scaling) -> Floats:
    return ((values - scaling.mean) / scaling.deviation).astype(np.float32)


def _means(sums: np.ndarray[tuple[int, ...], np.dtype[np.float64]], counts: Any, axis: int) -> tuple[float, ...]:
    return tuple(float(one) for one in sums.sum(axis=axis) / np.maximum(counts.sum(axis=axis), 1))
