"""What a network says of windows, beside what came."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from torch import nn

from vss.training.forecast.networks.normalised import spread_of
from vss.training.forecast.windows import Floats, ForecastWindows

_BATCH = 256


@dataclass(frozen=True, slots=True, eq=False)
class Foretold:
    """Of some windows; all standardised.

    Attributes:
        values: (n, H, F) what was foretold.
        actual: (n, H, F) what came.
        known: (n, H, F) whether that is known.
        spread: (n, F) standard deviation of each window, above 0.
    """

    values: Floats
    actual: Floats
    known: NDArray[np.bool_]
    spread: Floats

    @property
    def residuals(self) -> Floats:
        """(n, H, F): what came, less what was foretold."""
        return self.actual - self.values

    def square_error(self) -> float:
        """Mean over what is known; NaN where nothing is."""
        squares = np.square(self.residuals[self.known], dtype=np.float64)
        return float(squares.mean()) if squares.size else float("nan")


def foretell(network: nn.Module, windows: ForecastWindows) -> Foretold:
    """Runs a network over windows.

    Args:
        network: (n, L, F) → (n, H, F), both standardised; on the CPU.
        windows: At least one.
    """
    network.eval()
    values, actual, known, spread = [], [], [], []
    with torch.no_grad():
        for inputs, followed, there in windows.batches(_BATCH):
            given = torch.from_numpy(inputs)
            values.append(network(given).numpy())
            spread.append(spread_of(given).numpy())
            actual.append(followed)
            known.append(there)
    return Foretold(*(np.concatenate(part) for part in (values, actual, known, spread)))
