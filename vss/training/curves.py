"""How a training went, and the picture of it that lies beside the version."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray


@dataclass(frozen=True, slots=True)
class Curves:
    """Losses after each epoch.

    Attributes:
        training: On what was learnt from.
        held_out: On what was kept back.
        best_epoch: Whose weights were kept, counted from 0: the lowest held-out loss.
    """

    training: tuple[float, ...]
    held_out: tuple[float, ...]
    best_epoch: int


@dataclass(frozen=True, slots=True)
class Histogram:
    """Scores of held-out normal windows, and the threshold set by them.

    Attributes:
        scores: (n,) of held-out windows.
        threshold: Above it, a window is an anomaly.
        title: What the scores are of.
    """

    scores: NDArray[np.float32]
    threshold: float
    title: str = "held-out scores"


Panel = Callable[[Any], None]
"""Draws into one of matplotlib's axes."""


def draw_training(
    path: Path, curves: Mapping[str, Curves], histogram: Histogram | None = None, more: Sequence[Panel] = ()
) -> None:
    """Draws training and held-out losses, and where there are any the scores with the threshold.

    Args:
        path: A PNG file to write.
        curves: By the name of what was trained; a part without epochs is left out.
        histogram: Of scores.
        more: Further panels.
    """
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    shown = {name: one for name, one in curves.items() if one.training}
    panels = len(shown) + (histogram is not None) + len(more)
    figure = Figure(figsize=(5 * max(panels, 1), 3.6), dpi=100, layout="constrained")
    FigureCanvasAgg(figure)  # no window and no global state of pyplot
    axes = iter(np.ravel(figure.subplots(1, max(panels, 1), squeeze=False)))
    for name, one in shown.items():
        axis = next(axes)
        epochs = np.arange(1, len(one.training) + 1)
        axis.plot(epochs, one.training, label="training")
        axis.plot(epochs, one.held_out, label="held out")
        axis.axvline(one.best_epoch + 1, color="0.6", linestyle=":", label=f"kept: epoch {one.best_epoch + 1}")
        if min(*one.training, *one.held_out) > 0:
            axis.set_yscale("log")
        axis.set(title=name, xlabel="epoch", ylabel="loss")
        axis.legend()
    if histogram is not None:
        axis = next(axes)
        axis.hist(histogram.scores, bins=60, color="0.5")
        axis.axvline(histogram.threshold, color="tab:red", label=f"threshold {histogram.threshold:.3g}")
        axis.set(title=histogram.title, xlabel="score", ylabel="windows", yscale="log")
        axis.legend()
    for draw in more:
        draw(next(axes))
    figure.savefig(path, format="png", metadata={"Software": None})
