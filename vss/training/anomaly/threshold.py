"""The score from which on a window is no longer normal, and how bad higher ones are: set on held-out normal scores.

`quantile` takes the scores as they are. `evt` is peaks over threshold (Siffer et al., "Anomaly Detection in Streams
with Extreme Value Theory", KDD 2017): the scores above their 90 % quantile follow a generalised Pareto distribution
(Pickands 1975, Balkema and de Haan 1974), so a score that is rarer than any that was seen can be told.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final, Literal

import numpy as np
from numpy.typing import NDArray

from vss.errors import ConfigError
from vss.model_store.tasks.series.spec import Levels

Method = Literal["quantile", "evt"]
PEAKS_ABOVE: Final = 0.9
"""Quantile above which a score is a peak."""
_FEWEST_PEAKS: Final = 10
_SHAPES: Final = (-0.5, 0.5)
"""Of the distribution's shape; beyond, moments say nothing about it."""
_RARER: Final = (10.0, 100.0, 1000.0)
"""How much rarer than the threshold medium, high and critical are among normal windows."""
_AT_LEAST: Final = (1.25, 1.75, 3.0)
"""And how many thresholds they are at least: a tail that ends would put them all at one place."""

_OF_THE_REST: Final = (0.1, 0.2, 0.35)
"""Where scores are bounded: how far from the threshold towards the bound they are."""


@dataclass(frozen=True, slots=True)
class Pareto:
    """A generalised Pareto distribution of what exceeds `start`.

    Attributes:
        start: Where peaks begin.
        share: Of scores that are peaks, 0..1.
        shape: 0 is exponential, below 0 the tail ends.
        scale: Above 0.
    """

    start: float
    share: float
    shape: float
    scale: float

    @classmethod
    def of(cls, scores: NDArray[np.float64]) -> Pareto:
        """Fitted by moments (Hosking and Wallis, 1987), which has an answer for few peaks too.

        Args:
            scores: (n,) of normal windows.
        """
        start = float(np.quantile(scores, PEAKS_ABOVE))
        beyond = scores[scores > start] - start
        if len(beyond) < 2 or not beyond.var() > 0:
            mean = float(beyond.mean()) if len(beyond) else 0.0
            return cls(start, max(len(beyond), 1) / len(scores), 0.0, max(mean, 1e-12))
        mean, variance = float(beyond.mean()), float(beyond.var(ddof=1))
        shape = float(np.clip(0.5 * (1.0 - mean**2 / variance), *_SHAPES))
        return cls(start, len(beyond) / len(scores), shape, mean * (1.0 - shape))

    def exceeded_by(self, share: float) -> float:
        """The score that so small a share of normal windows exceeds."""
        rarer = share / self.share
        if abs(self.shape) < 1e-9:
            return self.start - self.scale * float(np.log(rarer))
        return self.start + self.scale / self.shape * (float(rarer**-self.shape) - 1.0)


@dataclass(frozen=True, slots=True)
class Calibrated:
    """What scores mean.

    Attributes:
        threshold: Above it, a window is an anomaly.
        levels: Lowest score of each severity.
        expected: Share of normal windows that exceed the threshold, as far as they tell.
    """

    threshold: float
    levels: Levels
    expected: float


def calibrate(
    scores: NDArray[np.floating], method: Method, quantile: float, *, highest: float | None = None
) -> Calibrated:
    """Sets threshold and levels.

    Args:
        scores: (n,) of held-out normal windows.
        method: `quantile` of the scores, or of the distribution of their peaks.
        quantile: Share of normal windows that shall stay below, 0..1.
        highest: What no score can exceed; None where there is no such bound.

    Raises:
        ConfigError: The quantile is none, or there are too few scores for `evt`.
    """
    values = np.asarray(scores, np.float64)
    if not 0.5 <= quantile < 1:
        raise ConfigError(f"--quantile {quantile:g} is not in 0.5..1", fix="give 0.999, say")
    tail = Pareto.of(values)
    if method == "evt":
        if np.count_nonzero(values > tail.start) < _FEWEST_PEAKS:
            raise ConfigError(
                f"{len(values)} held-out windows hold fewer than {_FEWEST_PEAKS} peaks, too few for --threshold evt",
                fix="give more normal data, or --threshold quantile",
            )
        threshold = tail.exceeded_by(min(1.0 - quantile, tail.share))
    else:
        threshold = float(np.quantile(values, quantile))
    threshold = max(threshold, float(np.finfo(np.float32).tiny))
    expected = float((values > threshold).mean()) if method == "quantile" else 1.0 - quantile
    if highest is not None:
        threshold = min(threshold, highest)
        steps = [threshold + share * (highest - threshold) for share in _OF_THE_REST]
    else:
        steps = [
            max(tail.exceeded_by(min((1.0 - quantile) / rarer, tail.share)), least * threshold)
            for rarer, least in zip(_RARER, _AT_LEAST, strict=True)
        ]
    medium, high, critical = np.maximum.accumulate(steps).tolist()
    return Calibrated(threshold, Levels(low=threshold, medium=medium, high=high, critical=critical), expected)
