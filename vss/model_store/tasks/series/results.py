"""What series models say about windows, by columns: a row a window, of as many windows as were asked about at once."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray

from vss.schemas.telemetry import Severity

SEVERITIES: Final[tuple[Severity, ...]] = ("none", "low", "medium", "high", "critical")
"""What `AnomalyScores.severity` counts."""


@dataclass(frozen=True, slots=True)
class AnomalyScores:
    """Whether windows are unlike what is normal.

    Attributes:
        features: Names, in the order of `shares`.
        threshold: Above it, a window is an anomaly.
        score: Shape (n,), float32, 0 or more.
        is_anomaly: Shape (n,), bool.
        confidence: Shape (n,), float32, 0..1: how sure it is that the window is an anomaly; 0.5 at the threshold.
        severity: Shape (n,), uint8, a place in `SEVERITIES`.
        shares: Shape (n, features), float32: each feature's part in the score; they sum to 1.
    """

    features: tuple[str, ...]
    threshold: float
    score: NDArray[np.float32]
    is_anomaly: NDArray[np.bool_]
    confidence: NDArray[np.float32]
    severity: NDArray[np.uint8]
    shares: NDArray[np.float32]


@dataclass(frozen=True, slots=True)
class Forecasts:
    """What comes after windows.

    Attributes:
        features: Names, in the order of the last axis.
        horizon: Steps that are foretold.
        period_ms: Between two of them, milliseconds.
        level: Share of values that fall between `lower` and `upper`, 0..1.
        forecast: Shape (n, horizon, features), float32, raw units.
        lower: The same.
        upper: The same, nowhere below `lower`.
    """

    features: tuple[str, ...]
    horizon: int
    period_ms: int
    level: float
    forecast: NDArray[np.float32]
    lower: NDArray[np.float32]
    upper: NDArray[np.float32]


@dataclass(frozen=True, slots=True)
class ScoredWindows:
    """What one version says about windows, and what that took.

    Attributes:
        name: Of the model.
        version: Of the model.
        value: A row a window; of one that failed it means nothing.
        failed: Why there is no result, by the window's place.
        imputed: Shape (n,), int32: values that were missing in each window and stood in for.
        inference_s: A window's share of the model's calls, seconds.
        processing_s: From the submission of the windows to their results, seconds.
        call_s: The longest call of the model that they were part of, seconds.
    """

    name: str
    version: str
    value: AnomalyScores | Forecasts
    failed: Mapping[int, Exception]
    imputed: NDArray[np.int32]
    inference_s: float
    processing_s: float
    call_s: float
