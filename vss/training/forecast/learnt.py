"""Until when a model has seen readings: what comes later is held out, and what came before measures nothing."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

LEARNT_UNTIL: Final = "vss.learnt_until_ms"
"""Key in the file's metadata: time of the last reading that the model has learnt, been chosen or been calibrated by."""


def learnt_until_ms(metadata: Mapping[str, str]) -> int | None:
    """Milliseconds since the epoch; None for a model that does not say it."""
    text = metadata.get(LEARNT_UNTIL, "")
    return int(text) if text.lstrip("-").isdecimal() else None
