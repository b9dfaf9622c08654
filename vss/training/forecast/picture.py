"""The picture that lies beside a version: losses of each network, and what the file did on readings it never saw."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np

from vss.training.curves import draw_training
from vss.training.forecast.train import Made


def draw_forecast(path: Path, made: Made, level: float) -> None:
    """Draws it.

    Args:
        path: A PNG file to write.
        made: What was trained.
        level: Share of values that intervals shall hold, 0..1.
    """
    steps = np.arange(1, len(made.test.mse_by_step) + 1)

    def errors(axis: Any) -> None:
        axis.plot(steps, made.test.mse_by_step, marker="." if len(steps) < 30 else "", label=made.chosen.name)
        axis.set(title="test: mean square error", xlabel="step", ylabel="standardised")
        axis.legend()

    def held(axis: Any) -> None:
        axis.plot(steps, made.test.coverage_by_step, marker="." if len(steps) < 30 else "", label="held")
        axis.axhline(level, color="0.6", linestyle=":", label=f"wanted: {level:g}")
        axis.set(title="test: share within intervals", xlabel="step", ylabel="share", ylim=(0.5, 1.0))
        axis.legend()

    draw_training(path, {one.name: one.curves for one in made.candidates}, more=(errors, held))
