"""Whether a version agrees enough with another to take its place."""

from __future__ import annotations

import math

from vss.errors import GateFailed
from vss.model_store.comparison.difference import Tally

_DIGITS = 10_000


def shown(agreement: float) -> str:
    """An agreement with four digits; rounded down, so that what fails never reads like what was asked for."""
    return f"{math.floor(agreement * _DIGITS + 1e-9) / _DIGITS:.4f}"


def require_agreement(tally: Tally, required: float, *, a: str, b: str) -> None:
    """Lets B pass when it agrees enough with A.

    Args:
        tally: Of the comparison.
        required: Lowest agreement, 0..1.
        a: Name of A, for people.
        b: Name of B, for people.

    Raises:
        GateFailed: It agrees less, or neither found anything, which says nothing about either.
    """
    if not tally.findings:
        raise GateFailed(
            f"neither {a} nor {b} found anything in {tally.pictures} frames, which says nothing about them",
            fix="compare on frames with something in them",
        )
    if tally.agreement < required:
        raise GateFailed(
            f"{b} agrees with {a} by {shown(tally.agreement)}, which is below {required:g}",
            fix="look at the frames where they differ (vss models compare), go on with what serves, or ask for less",
        )
