"""Intervals that hold a wanted share of what comes: split conformal calibration with locally scaled residuals.

A window's residual is divided by how much that window itself moved, so that an interval is wide where the series is
restless and narrow where it is calm, and stays right when the series becomes calmer or more restless later on:

    |actual - forecast| / sqrt(s² + floor²)        s: the window's standard deviation

The k-th smallest of these on readings that nothing was learnt from, k = ceil((n + 1) · level), is the width in units of
that scale; each feature and each step has its own (Papadopoulos et al., "Inductive Confidence Machines for Regression",
ECML 2002; Lei et al., "Distribution-Free Predictive Inference for Regression", JASA 2018, sections 2.2 and 5.2).

That holds `level` exactly where windows are exchangeable. Readings in time are not, so the latest readings before those
that are foretold calibrate, and the share that was held on still later ones is measured and written down.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Final

import numpy as np
from numpy.typing import NDArray

from vss.errors import ConfigError

Floats = NDArray[np.float32]
FLOORS: Final = (0.0, 0.1, 0.3, 1.0, 3.0)
"""Least scales to choose from, in standard deviations of the training data, ascending. A large one makes the width the
same everywhere."""
WIDER: Final = 1.25
"""How much wider than the narrowest intervals may be that follow the window's own scale: where it says little now, it
is still what keeps them right when the series changes."""


def scaled(spread: Floats, floor: Floats) -> Floats:
    """The scale of each window's residuals.

    Args:
        spread: (n, F) standard deviation of each window.
        floor: (F,) least scale, in the same unit.

    Returns:
        (n, F), above 0 where the spread or the floor is.
    """
    scale: Floats = np.sqrt(np.square(spread) + np.square(floor)).astype(np.float32)
    return scale


def conformal_quantile(scores: Floats, known: NDArray[np.bool_], level: float) -> Floats:
    """The k-th smallest score, k = ceil((n + 1) · level), over the first axis.

    Args:
        scores: (n, H, F), at least 0.
        known: (n, H, F): where there is one.
        level: 0..1.

    Returns:
        (H, F).

    Raises:
        ConfigError: A feature has too few scores of a step for that level.
    """
    counts = known.sum(axis=0)
    ranks = np.ceil((counts + 1) * level - 1e-9).astype(np.int64)
    if (ranks > counts).any():
        least = math.ceil(level / (1 - level) - 1e-9)
        raise ConfigError(
            f"{int(counts.min())} windows are too few to calibrate {100 * level:g} % intervals",
            fix=f"give more rows, so that at least {least} windows can calibrate, or a lower --level",
        )
    ascending = np.sort(np.where(known, scores, np.inf), axis=0)
    found: Floats = np.take_along_axis(ascending, ranks[None] - 1, axis=0)[0].astype(np.float32)
    return found


def choose_floor(
    residuals: Floats, known: NDArray[np.bool_], spread: Floats, level: float, floors: Sequence[float] = FLOORS
) -> Floats:
    """The smallest floor of each feature with which its intervals are no more than `WIDER` times the narrowest.

    Without one, a window that stands still has next to no scale, and what follows it counts as a huge residual: where
    sensors stand still and move again, intervals would become as wide as the sky.

    Args:
        residuals: (n, H, F), of readings that do not calibrate afterwards.
        known: (n, H, F): where there is one.
        spread: (n, F) standard deviation of each window, above 0, in the residuals' unit.
        level: 0..1.
        floors: To choose from, ascending.

    Returns:
        (F,).
    """
    widths = np.empty((len(floors), residuals.shape[2]))
    for place, floor in enumerate(floors):
        scale = scaled(spread, np.full(residuals.shape[2], floor, np.float32))
        widths[place] = half_widths(residuals, known, scale, level).mean(axis=0) * scale.mean(axis=0)
    narrow = widths <= WIDER * widths.min(axis=0)
    chosen: Floats = np.asarray(floors, np.float32)[narrow.argmax(axis=0)]
    return chosen


def half_widths(residuals: Floats, known: NDArray[np.bool_], scale: Floats, level: float) -> Floats:
    """Half of each interval, in scales.

    Args:
        residuals: (n, H, F) of the windows that calibrate.
        known: (n, H, F): where there is one.
        scale: (n, F) of each window, above 0, in the residuals' unit.
        level: 0..1.

    Returns:
        (H, F).

    Raises:
        ConfigError: See `conformal_quantile`.
    """
    return conformal_quantile((np.abs(residuals) / scale[:, None, :]).astype(np.float32), known, level)
