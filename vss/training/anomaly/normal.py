"""What is normal, before any network: where each feature lies, how much it varies, and how far its level wanders."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray

from vss.training.data.series import TrainingData

_BLOCKS: Final = 8
# Expected range of the means of so many blocks of white noise, in their standard deviations (Tippett, 1925).
_RANGE_OF_BLOCKS: Final = 2.847
_SMALLEST: Final = 1e-9
COPIES: Final = 8
"""Of a window, each with its levels elsewhere."""


@dataclass(frozen=True, slots=True, eq=False)
class Normal:
    """What normal readings are like, feature by feature.

    Attributes:
        centre: (F,) mean.
        spread: (F,) standard deviation, above 0.
        wander: (F,) by how much the level moved while the data was recorded, beyond what noise alone would make: 0 for
            a feature that stays where it is, large for a temperature that creeps.
    """

    centre: NDArray[np.float64]
    spread: NDArray[np.float64]
    wander: NDArray[np.float64]

    @classmethod
    def of(cls, data: TrainingData) -> Normal:
        """Measured on normal readings.

        The level of a sensor is the mean of a block, an eighth of its readings; it wanders by the range of the eight
        less the range that white noise of the same strength would have.
        """
        values = np.concatenate([one.values for one in data.series])
        centre = data.means()
        spread = np.sqrt(np.nanmean((values - centre) ** 2, axis=0))
        moved = [_moved(np.concatenate([s.values for s in data.series if s.sensor_id == one])) for one in data.sensors]
        wander = np.max(moved, axis=0)
        floor = _SMALLEST * np.maximum(np.abs(centre), 1.0)
        return cls(centre, np.maximum(spread, floor), wander)


def _moved(values: NDArray[np.float64]) -> NDArray[np.float64]:
    """(n, F) → (F,): the range of the levels beyond that of noise; 0 where there are too few readings to tell."""
    length = len(values) // _BLOCKS
    if length < 2:
        return np.zeros(values.shape[1])
    blocks = values[: length * _BLOCKS].reshape(_BLOCKS, length, -1)
    known = np.isfinite(blocks)
    counts = np.maximum(known.sum(axis=1), 1)
    levels = np.where(known, blocks, 0.0).sum(axis=1) / counts
    noise = (np.where(known, blocks - levels[:, None], 0.0) ** 2).sum(axis=(0, 1)) / np.maximum(
        known.sum(axis=(0, 1)), 1
    )
    levels = np.where(known.any(axis=1), levels, np.nan)
    extent = np.nanmax(levels, axis=0, initial=-np.inf) - np.nanmin(levels, axis=0, initial=np.inf)
    extent = np.where(np.isfinite(extent), extent, 0.0)
    moved: NDArray[np.float64] = np.sqrt(np.maximum(extent**2 - _RANGE_OF_BLOCKS**2 * noise / length, 0.0))
    return moved


def wandering(
    values: NDArray[np.floating], wandered: NDArray[np.float64], rng: np.random.Generator
) -> NDArray[np.float32]:
    """Copies of windows' values, as they would be had the levels wandered on.

    Args:
        values: (n, G), the levels of F features first.
        wandered: (F,) standard deviation of where they may be, in the values' units.
        rng: Chance.

    Returns:
        (n * COPIES, G) float32.
    """
    copies = np.repeat(values, COPIES, axis=0).astype(np.float32)
    copies[:, : len(wandered)] += (rng.standard_normal((len(copies), len(wandered))) * wandered).astype(np.float32)
    return copies
