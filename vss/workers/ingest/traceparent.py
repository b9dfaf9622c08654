"""Where a trace begins."""

from __future__ import annotations

import random


def new_traceparent(random: random.Random) -> str:
    """A W3C `traceparent` of a trace that nobody has begun yet, sampled."""
    # Version 00, flag 01: sampled. Ids of zeros are not valid, so they start at 1.
    return f"00-{random.randrange(1, 1 << 128):032x}-{random.randrange(1, 1 << 64):016x}-01"
