"""Trains the isolation forest over statistics of windows and writes it."""

from __future__ import annotations

from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from vss.training.anomaly.detector import DetectorSettings, Part
from vss.training.anomaly.graph import PARTS, SCORE, GraphWriter, Judged, trees
from vss.training.anomaly.networks import Statistics
from vss.training.anomaly.normal import COPIES, Normal, wandering
from vss.training.anomaly.threshold import calibrate
from vss.training.data.split import Windows
from vss.training.series_file import INPUT, check_same

SAMPLES = 128
"""Windows a tree is grown on; the paper's 256 would double the file and gains nothing here."""
_COMPARED = 256


def train_forest(normal: Normal, train: Windows, held_out: Windows, settings: DetectorSettings, file: Path) -> Part:
    """Grows a forest on statistics of normal windows, each seen in copies whose levels have wandered on.

    A score is that of Liu, Ting and Zhou ("Isolation Forest", ICDM 2008): 0..1, above a half where a window is told
    apart from others in fewer cuts than most.

    Args:
        normal: What is normal.
        train: (n, W, F) to learn from.
        held_out: (m, W, F) to calibrate by.
        settings: How.
        file: ONNX, to write.
    """
    import torch
    from sklearn.ensemble import IsolationForest

    statistics = Statistics(normal, tail=min(settings.newest, settings.window // 2))
    rng = np.random.default_rng(settings.seed)
    with torch.no_grad():
        seen = statistics(torch.from_numpy(train))[0].numpy()
        statistics.usual.copy_(torch.from_numpy(seen.mean(axis=0)))
        wandered = settings.drift * normal.wander / normal.spread
        unit = np.concatenate(
            [np.hypot(seen[:, : len(wandered)].std(axis=0), wandered), seen[:, len(wandered) :].std(axis=0)]
        )
        statistics.unit.copy_(torch.from_numpy(np.maximum(unit, 1e-6).astype(np.float32)))
        kept_back, shares = (one.numpy() for one in statistics(torch.from_numpy(held_out)))
    forest = IsolationForest(
        n_estimators=settings.trees, max_samples=min(SAMPLES, COPIES * len(seen)), random_state=settings.seed, n_jobs=1
    ).fit(wandering(seen, wandered, rng))
    scores = _score(forest, wandering(kept_back, wandered, rng))
    document = trees(forest)

    def write(writer: GraphWriter, window: str) -> Judged:
        values, by_feature = statistics.write(writer, window)
        normality = writer.op("Reshape", writer.include(document, values, "scores"), writer.axes(-1))
        score = writer.op("Sub", writer.constant(-float(forest.offset_)), normality)
        return Judged(score, writer.op("Mul", by_feature, writer.op("Unsqueeze", score, writer.axes(1))))

    writer = GraphWriter(settings.window, len(wandered))
    writer.write(write(writer, INPUT), file)
    plain = _score(forest, kept_back[:_COMPARED])
    expected = {SCORE: plain, PARTS: shares[:_COMPARED] * plain[:, None]}
    difference = check_same(file, expected, held_out[:_COMPARED])
    return Part(
        write, file, scores, calibrate(scores, settings.threshold, settings.quantile, highest=1.0), None, difference
    )


def _score(forest: object, statistics: NDArray[np.float32]) -> NDArray[np.float32]:
    scores: NDArray[np.float32] = -forest.score_samples(statistics).astype(np.float32)  # type: ignore[attr-defined]
    return scores
