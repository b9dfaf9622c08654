"""Windows as PyTorch is given them, and what a network's answer costs."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor, nn

from vss.training.forecast.windows import NONE, ForecastWindows


class WindowExamples:
    """Gathers batches on a device; what `fit` learns from.

    Args:
        windows: Which.
        device: Where their readings lie.
        at_most: Windows of an epoch. Of more, each stands for its neighbours, one of whom is drawn each time.
        drawn: Whether it is drawn; else it is always the first.
    """

    def __init__(self, windows: ForecastWindows, device: torch.device, *, at_most: int, drawn: bool) -> None:
        self._values = torch.from_numpy(windows.values).to(device)
        self._known = torch.from_numpy(windows.known).to(device)
        self._ends = torch.from_numpy(windows.ends).to(device)
        self._targets = torch.from_numpy(windows.targets).to(device)
        self._back = torch.arange(1 - windows.lookback, 1, device=device)
        self._stride = -(-len(windows) // at_most)
        self._drawn = drawn and self._stride > 1

    def __len__(self) -> int:
        return -(-len(self._ends) // self._stride)

    def take(self, indices: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """(b, L, F) windows, (b, H, F) what followed, (b, H, F) 1 where that is known, else 0."""
        places = indices * self._stride
        if self._drawn:
            jitter = torch.randint(self._stride, (len(indices),)).to(places.device)
            places = (places + jitter).clamp(max=len(self._ends) - 1)
        ends = self._ends[places]
        targets = self._targets[places].long()
        there = (targets != NONE)[..., None] & self._known[targets.clamp(min=0)]
        followed = self._values[targets.clamp(min=0)]
        return self._values[ends[:, None] + self._back], followed, there.float()


def huber_loss(network: nn.Module, batch: Any) -> Tensor:
    """Of standardised values: squares of small errors, sizes of large ones, so that outliers do not rule."""
    windows, followed, known = batch
    losses = nn.functional.smooth_l1_loss(network(windows), followed, reduction="none")
    mean: Tensor = (losses * known).sum() / known.sum().clamp(min=1)
    return mean
