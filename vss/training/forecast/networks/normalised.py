"""Instance normalisation around a network, and the whole that goes into the model's file: raw units in and out.

Each window loses its own level and scale before the network and gets them back after it (Kim et al., "Reversible
Instance Normalization for Accurate Time-Series Forecasting against Distribution Shift", ICLR 2022), so a series may
drift away from what was learnt without the forecast staying behind.
"""

from __future__ import annotations

from typing import Final

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

EPSILON: Final = 1e-5
"""Added to a window's variance: a window that does not move has a scale all the same. Training data's variance is 1."""


def spread_of(windows: Tensor) -> Tensor:
    """(n, L, F) → (n, F): each window's standard deviation."""
    return (windows.var(dim=1, unbiased=False) + EPSILON).sqrt()


class InstanceNormalised(nn.Module):
    """A network around which windows are normalised.

    Args:
        inner: (n, L, F) → (n, H, F), both normalised.
    """

    def __init__(self, inner: nn.Module) -> None:
        super().__init__()
        self.inner = inner

    def forward(self, windows: Tensor) -> Tensor:
        """(n, L, F) → (n, H, F), both standardised."""
        level = windows.mean(dim=1, keepdim=True)
        spread = spread_of(windows)[:, None]
        foretold: Tensor = self.inner((windows - level) / spread) * spread + level
        return foretold


class Mean(nn.Module):
    """The mean of what several foretell.

    Args:
        members: (n, L, F) → (n, H, F), both standardised.
    """

    def __init__(self, *members: nn.Module) -> None:
        super().__init__()
        self.members = nn.ModuleList(members)

    def forward(self, windows: Tensor) -> Tensor:
        """See `Mean`."""
        return torch.stack([member(windows) for member in self.members]).mean(dim=0)


class Forecaster(nn.Module):
    """What a worker runs: raw windows to forecasts and their intervals.

    Args:
        inner: (n, L, F) → (n, H, F), both standardised.
        mean: (F,) raw units.
        deviation: (F,) raw units.
        floor: (F,) least scale of a window's intervals, standardised.
        width: (H, F) half of an interval, in scales (see `conformal`).
    """

    def __init__(
        self,
        inner: nn.Module,
        mean: NDArray[np.float64],
        deviation: NDArray[np.float64],
        floor: NDArray[np.float32],
        width: NDArray[np.float32],
    ) -> None:
        super().__init__()
        self.inner = inner
        for name, values in (("mean", mean), ("deviation", deviation), ("floor", floor), ("width", width)):
            self.register_buffer(name, torch.from_numpy(values.astype(np.float32)))

    def forward(self, window: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """(n, L, F) raw → forecast, lower, upper: (n, H, F) each, raw."""
        windows = (window - self.mean) / self.deviation
        scale = (spread_of(windows).square() + self.floor.square()).sqrt()[:, None]
        forecast = self.inner(windows) * self.deviation + self.mean
        half = self.width * scale * self.deviation
        return forecast, forecast - half, forecast + half
