"""Windows of one feature as a few segments of neighbouring values: what a step of a network looks at."""

from __future__ import annotations

from torch import Tensor

SEGMENTS = 14
"""About as many are made of a window: enough to order them, few enough to be quick on a CPU."""


def segment_length(lookback: int) -> int:
    """Values of a segment."""
    return max(1, round(lookback / SEGMENTS))


def segment_count(lookback: int) -> int:
    """Segments of a window."""
    return -(-lookback // segment_length(lookback))


def segmented(windows: Tensor) -> Tensor:
    """Cuts windows, every feature by itself; where the oldest segment is not full, the oldest value fills it.

    Args:
        windows: (n, L, F).

    Returns:
        (n·F, segments, values), the oldest first.
    """
    lookback = windows.shape[1]
    length, count = segment_length(lookback), segment_count(lookback)
    series = windows.transpose(1, 2)
    if missing := length * count - lookback:
        import torch

        series = torch.cat([series[..., :1].expand(-1, -1, missing), series], dim=2)
    return series.reshape(-1, count, length)


def joined(steps: Tensor, features: int) -> Tensor:
    """(n·F, H) → (n, H, F): undoes what `segmented` did with the features."""
    return steps.reshape(-1, features, steps.shape[1]).transpose(1, 2)
