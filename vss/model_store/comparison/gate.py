"""Whether a version agrees enough with another to take its place."""

from __future__ import annotations

import math
from typing import Protocol

from vss.errors import GateFailed

_DIGITS = 10_000


class Agreement(Protocol):
    """What a comparison came to."""

    @property
    def agreement(self) -> float:
        """0..1."""

    @property
    def findings(self) -> int:
        """Of both sides; where there is none, the agreement says nothing."""

    @property
    def looked_at(self) -> str:
        """What both looked at, for people: `5 frames`."""


def shown(agreement: float) -> str:
    """An agreement with four digits; rounded down, so that what fails never reads like what was asked for."""
    return f"{math.floor(agreement * _DIGITS + 1e-9) / _DIGITS:.4f}"


def agrees(found: Agreement, required: float) -> bool:
    """Whether B may take the place of A."""
    return bool(found.findings) and found.agreement >= required


def require_agreement(found: Agreement, required: float, *, a: str, b: str) -> None:
    """Lets B pass when it agrees enough with A.

    Args:
        found: By the comparison.
        required: Lowest agreement, 0..1.
        a: Name of A, for people.
        b: Name of B, for people.

    Raises:
        GateFailed: It agrees less, or neither found anything, which says nothing about either.
    """
    if not found.findings:
        raise GateFailed(
            f"neither {a} nor {b} found anything in {found.looked_at}, which says nothing about them",
            fix="compare on something that holds what they look for",
        )
    if not agrees(found, required):
        raise GateFailed(
            f"{b} agrees with {a} by {shown(found.agreement)}, which is below {required:g}",
            fix="look at where they differ (vss models compare), go on with what serves, or ask for less",
        )
