"""A recipe that was tried, and the choice among them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from vss.model_store.quantisation.recipe import Recipe
from vss.model_store.quantisation.speed import Speed

# What two measurements of one speed may differ by on a busy machine.
_ALIKE: Final = 0.05


@dataclass(frozen=True, slots=True)
class Points:
    """How right a model is.

    Attributes:
        all: 0..100, of all pictures.
        unseen: Of those it was not calibrated with; None where there are none.
    """

    all: float
    unseen: float | None

    def lost_to(self, other: Points) -> float:
        """Points that the other lost, on all pictures or on the unseen ones, whichever is more."""
        lost = self.all - other.all
        if self.unseen is None or other.unseen is None:
            return lost
        return max(lost, self.unseen - other.unseen)


@dataclass(frozen=True, slots=True)
class Candidate:
    """A recipe that was tried.

    Attributes:
        recipe: How it was made.
        points: How right it is.
        lost: Points below the original.
        file: The model.
    """

    recipe: Recipe
    points: Points
    lost: float
    file: Path


@dataclass(frozen=True, slots=True)
class Measured:
    """A candidate whose speed is known as well."""

    candidate: Candidate
    speed: Speed

    @property
    def lost(self) -> float:
        """See `Candidate`."""
        return self.candidate.lost


def choose(measured: Sequence[Measured], *, max_loss: float) -> Measured | None:
    """The fastest that loses no more than it may; of those as fast, the one that loses least.

    Args:
        measured: All that were tried.
        max_loss: In points.

    Returns:
        None where none is within the limit and faster than the original.
    """
    within = [one for one in measured if one.lost <= max_loss and one.speed.ratio > 1]
    if not within:
        return None
    fastest = max(one.speed.ratio for one in within)
    return min((one for one in within if one.speed.ratio >= fastest * (1 - _ALIKE)), key=lambda one: one.lost)
