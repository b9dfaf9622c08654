"""How long to wait before a source is tried again."""

from __future__ import annotations

import random


class Backoff:
    """Doubles with every failure, with jitter, so that cameras behind one switch do not all come back at once.

    Args:
        random: For the jitter.
        first_s: The first wait.
        most_s: No wait is longer.
    """

    def __init__(self, random: random.Random, *, first_s: float = 0.5, most_s: float = 30.0) -> None:
        self._random = random
        self._first_s = first_s
        self._most_s = most_s
        self._failures = 0

    def next_s(self) -> float:
        """The next wait: between half and all of what doubling gives."""
        ceiling_s = min(self._most_s, self._first_s * 2.0 ** min(self._failures, 32))
        self._failures += 1
        return ceiling_s * self._random.uniform(0.5, 1.0)

    def reset(self) -> None:
        """The source is well again."""
        self._failures = 0
