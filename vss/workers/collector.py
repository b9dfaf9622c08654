"""How often Python looks for garbage in cycles."""

from __future__ import annotations

import gc
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Final

# Containers that come to be before Python looks. A micro-batch of readings makes ten thousand, and lets all go without
# being looked at, for none is in a cycle; with Python's own 700 that look takes as long as all else.
_THRESHOLDS: Final = (50_000, 20, 20)


@contextmanager
def looks_rarely() -> Iterator[None]:
    """For a process that has started: what there is now is not looked at again, what comes is, but rarely."""
    before = gc.get_threshold()
    gc.collect()
    gc.freeze()
    gc.set_threshold(*_THRESHOLDS)
    try:
        yield
    finally:
        gc.set_threshold(*before)
        gc.unfreeze()
