"""Anomalies: what the scores of a model mean."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Final

import numpy as np
from numpy.typing import NDArray

from vss.config import ModelSettings
from vss.model_store.backends.model import Model
from vss.model_store.resolve import ModelRef
from vss.model_store.tasks.series.results import AnomalyScores
from vss.model_store.tasks.series.spec import SeriesSpec
from vss.model_store.tasks.series.task import Output, described, spec_of, trained
from vss.model_store.tasks.task import TaskKind

OUTPUTS: Final = ("score", "feature_scores")
_STEEPNESS: Final = 4.0


class AnomalyTask:
    """Scores to verdicts (see `SeriesTask`).

    Args:
        spec: What the model was trained with.
    """

    def __init__(self, spec: SeriesSpec) -> None:
        self.spec = spec
        self.outputs: Mapping[str, tuple[int, ...]] = {"score": (), "feature_scores": (len(spec.features),)}
        levels = ", ".join(f"{score:.4g}" for score in spec.scores_of_levels)
        self.facts: Mapping[str, str] = {
            **described(spec),
            "threshold": f"{spec.threshold:.4g}; low, medium, high, critical from {levels}",
            **trained(spec),
        }
        self._levels = np.array(spec.scores_of_levels, np.float32)

    def result(self, outputs: Sequence[Output]) -> AnomalyScores:
        """See `SeriesTask.result`."""
        score, by_feature = outputs
        spec = self.spec
        is_anomaly = score > np.float32(spec.threshold)
        # Of an anomaly at least `low`, whatever its levels say; 0 is `none`.
        reached = np.searchsorted(self._levels, score, side="right")
        severity = np.where(is_anomaly, np.maximum(reached, 1), 0).astype(np.uint8)
        return AnomalyScores(
            spec.features,
            spec.threshold,
            score,
            is_anomaly,
            confidence_of(score, spec.threshold),
            severity,
            shares_of(by_feature),
        )

    def wrong(self, outputs: Sequence[Output]) -> NDArray[np.bool_]:
        """See `SeriesTask.wrong`."""
        score, by_feature = outputs
        sound: NDArray[np.bool_] = np.isfinite(score) & (score >= 0)
        sound &= (np.isfinite(by_feature) & (by_feature >= 0)).all(axis=1)
        return ~sound


def confidence_of(score: Output, threshold: float) -> Output:
    """How sure it is that a window is an anomaly: r⁴ / (1 + r⁴) with r = score / threshold.

    The logistic function of 4 · log(r): 0 where the score is 0, 0.5 at the threshold, 0.94 at twice it, never falling.

    Args:
        score: Shape (n,), 0 or more.
        threshold: Above 0.
    """
    with np.errstate(divide="ignore", over="ignore", invalid="ignore"):
        odds = np.power(np.float64(threshold) / score.astype(np.float64), _STEEPNESS)
        confidence: Output = (1.0 / (1.0 + odds)).astype(np.float32)
    return confidence


def shares_of(by_feature: Output) -> Output:
    """Each feature's part in a score: its own score over the sum of all; equal parts where all are 0.

    Args:
        by_feature: Shape (n, features), 0 or more.
    """
    wide = by_feature.astype(np.float64)  # the sum of large ones is no float32 any more
    sums = wide.sum(axis=1, keepdims=True)
    with np.errstate(divide="ignore", invalid="ignore"):
        shares: Output = np.where(sums > 0, wide / sums, 1.0 / by_feature.shape[1]).astype(np.float32)
    return shares


def load_anomaly(ref: ModelRef, model: Model, settings: ModelSettings) -> AnomalyTask:
    """The task of an anomaly model (see `TaskLoader`)."""
    return AnomalyTask(spec_of(ref, model, settings, OUTPUTS))


ANOMALY: Final = TaskKind("anomaly", load_anomaly, takes="series", comparing=None)
