"""A line from each value of the window to each step, its weights found in closed form (`ridge`).

A moving average and what is left of it, each through a layer of its own as in DLinear (Zeng et al., AAAI 2023), are
together one linear map again, so the split is left out: see Toner and Darlow, "An Analysis of Linear Time Series
Forecasting Models", ICML 2024.
"""

from __future__ import annotations

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn


class Linear(nn.Module):
    """One line for all features, or one each.

    Args:
        weights: (1 or F, L, H).
        bias: (1 or F, H).
    """

    def __init__(self, weights: NDArray[np.float32], bias: NDArray[np.float32]) -> None:
        super().__init__()
        self.weights = nn.Parameter(torch.from_numpy(weights), requires_grad=False)
        self.bias = nn.Parameter(torch.from_numpy(bias), requires_grad=False)

    def forward(self, windows: Tensor) -> Tensor:
        """(n, L, F) → (n, H, F), both normalised."""
        by_feature = windows.permute(2, 0, 1)
        return (by_feature @ self.weights + self.bias[:, None]).permute(1, 2, 0)
