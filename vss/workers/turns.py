"""How long a Python thread may keep the others waiting."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Final

# Python's own 5 ms are longer than a call of a small model: whoever comes back from one would wait that long for the
# loop to let go, and its core with it. Measured with a model of 50 µs a window: nearly twice the windows/s.
_INTERVAL_S: Final = 0.0001


@contextmanager
def short_turns() -> Iterator[None]:
    """For a process whose threads wait for models and for brokers, and then want their turn at once."""
    before_s = sys.getswitchinterval()
    sys.setswitchinterval(_INTERVAL_S)
    try:
        yield
    finally:
        sys.setswitchinterval(before_s)
