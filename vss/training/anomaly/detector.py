"""What training makes and evaluation uses: a detector in a file, and what was measured on the way."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from vss.training.anomaly.graph import GraphWriter, Judged
from vss.training.anomaly.threshold import Calibrated, Method
from vss.training.curves import Curves

Architecture = Literal["combined", "lstm-autoencoder", "isolation-forest", "streaming"]


@dataclass(frozen=True, slots=True)
class DetectorSettings:
    """How to train.

    Attributes:
        architecture: Which detector; `streaming` learns nothing and takes of the data its features alone.
        window: Readings it looks at.
        tail: Newest readings that its score is about; a quarter of the window by default.
        epochs: Of the autoencoder, at most.
        seed: Of all chance.
        threshold: How the threshold is set.
        quantile: Share of normal windows that shall stay below it.
        drift: How many times as far as during training a feature's level may wander before that is an anomaly.
        held_out: Share of the readings, the latest, that is kept back to stop and to calibrate by.
        hidden: Of the autoencoder's LSTMs.
        code: Numbers that it squeezes a window through.
        trees: Of the forest.
        max_windows: Windows that are learnt from; more are thinned out.
    """

    architecture: Architecture = "combined"
    window: int = 100
    tail: int | None = None
    epochs: int = 60
    seed: int = 0
    threshold: Method = "quantile"
    quantile: float = 0.9999
    drift: float = 0.8
    held_out: float = 0.25
    hidden: int = 24
    code: int = 4
    trees: int = 50
    max_windows: int = 20_000

    @property
    def newest(self) -> int:
        """Readings that the score is about."""
        return self.tail if self.tail is not None else max(1, self.window // 4)


@dataclass(frozen=True, slots=True, eq=False)
class Part:
    """One of the models that a detector is made of.

    Attributes:
        write: Adds it to a graph, given the name of the window there.
        file: ONNX with the contract of a detector, without its spec.
        scores: (n,) of held-out windows.
        calibrated: Its threshold.
        curves: Of its training; None where there are no epochs.
        difference: Between the file and what it was made of.
    """

    write: Callable[[GraphWriter, str], Judged]
    file: Path
    scores: NDArray[np.float32]
    calibrated: Calibrated
    curves: Curves | None
    difference: float


@dataclass(frozen=True, slots=True, eq=False)
class Detector:
    """A whole detector.

    Attributes:
        file: ONNX, with its spec.
        calibrated: Its threshold and levels.
        scores: (n,) of held-out windows.
        parts: What it is made of, by name.
        metrics: On held-out data.
    """

    file: Path
    calibrated: Calibrated
    scores: NDArray[np.float32]
    parts: Mapping[str, Part]
    metrics: Mapping[str, float] = field(default_factory=dict)
