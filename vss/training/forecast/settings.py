"""What to train for a forecast."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from vss.training.data.split import Rule

ARCHITECTURES: Final = ("dlinear", "lstm", "transformer")
"""In the order in which `auto` trains them: the quickest first."""
AUTO: Final = "auto"


@dataclass(frozen=True, slots=True)
class ForecastSettings:
    """What to train and how.

    Attributes:
        arch: Of `ARCHITECTURES`, or `auto`: all of them, and what does best on the validation part.
        lookback: Readings of a window.
        horizon: Steps that are foretold.
        level: Share of values that intervals shall hold, 0..1.
        impute: What stands in for a missing value.
        split: `shares` or `ett` (see `split`).
        seed: Of every draw.
        epochs: At most, of each network.
        patience: Epochs without a lower validation loss before a network is done.
        budget_s: Seconds for all networks together; an epoch that would end later is not begun. None: no limit.
        device: `auto`, `cpu` or `cuda`.
        threads: Of the CPU; None leaves it to PyTorch.
    """

    arch: str = AUTO
    lookback: int = 24
    horizon: int = 6
    level: float = 0.9
    impute: Rule = "hold"
    split: str = "shares"
    seed: int = 0
    epochs: int = 20
    patience: int = 5
    budget_s: float | None = 600.0
    device: str = "auto"
    threads: int | None = None
