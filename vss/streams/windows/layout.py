"""What a window looks like: which features, how many readings, how far apart."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class WindowLayout:
    """What a model was trained with. All models that look at the same windows share it.

    Attributes:
        features: Names, in the order of a window's last axis.
        window: Readings in a window.
        period_ms: Between two readings; a stride above 1 counts by it.
    """

    features: tuple[str, ...]
    window: int
    period_ms: int | None = None
