"""Models that records asked for in vain, so that the store is not asked again for each of them."""

from __future__ import annotations

from collections import OrderedDict
from typing import Final

from vss.clock import Clock

REFUSED_FOR_S: Final = 30.0
_MOST: Final = 1024


class Refusals:
    """Remembers for a while why something cannot be served. Holds at most 1,024; the oldest goes. Not thread-safe.

    Args:
        clock: For the time.
    """

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._refused: OrderedDict[tuple[str, str], tuple[float, str]] = OrderedDict()

    def why(self, spec: str, task: str) -> str | None:
        """Why a model cannot be served for a task; None where nothing speaks against trying."""
        found = self._refused.get((spec, task))
        if found is None:
            return None
        until_s, reason = found
        if self._clock.monotonic() >= until_s:
            del self._refused[(spec, task)]
            return None
        return reason

    def add(self, spec: str, task: str, reason: str) -> None:
        """It was tried, and cannot be served."""
        self._refused.pop((spec, task), None)
        self._refused[(spec, task)] = (self._clock.monotonic() + REFUSED_FOR_S, reason)
        if len(self._refused) > _MOST:
            self._refused.popitem(last=False)
