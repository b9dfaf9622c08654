"""Whether a version that has just begun to serve keeps the limits it was given."""

from __future__ import annotations

import bisect
import enum
import math
import threading
from collections import deque
from typing import Final

from vss.schemas.models import ServingLimits

_WINDOW: Final = 1000
_LONGEST_WINDOW: Final = 10_000
_SETTLED_AFTER: Final = 10
"""Times `min_requests`: who has kept its limits for so long has passed."""


class Judgement(enum.Enum):
    """What follows from what has been seen so far."""

    OPEN = "open"
    BROKEN = "broken"
    PASSED = "passed"


class Judge:
    """Watches one version. Thread-safe.

    It judges by the last 1,000 records, or `min_requests` of them where that is more: an hour without a fault must not
    cover for the minutes since.

    Args:
        limits: What it must keep.

    Attributes:
        settles: Whether it passes, and is watched no more, after ten times `min_requests`.
        reason: Which limit it broke, and by how much; empty until then.
    """

    def __init__(self, limits: ServingLimits, *, settles: bool = False) -> None:
        self.settles = settles
        self.reason = ""
        self._limits = limits
        self._window = min(max(_WINDOW, limits.min_requests), _LONGEST_WINDOW)
        self._lock = threading.Lock()
        self._seen = 0
        self._failed = 0
        self._over = False
        # In order of arrival, and of those that were answered the times in order of size.
        self._records: deque[float | None] = deque()
        self._times_s: list[float] = []

    def answered(self, call_s: float) -> Judgement:
        """A record was answered by a call that took so long, seconds."""
        return self._saw(call_s)

    def failed(self) -> Judgement:
        """A record was not answered, and it was the model's fault."""
        return self._saw(None)

    def _saw(self, call_s: float | None) -> Judgement:
        with self._lock:
            if self._over:
                return Judgement.OPEN
            self._remember(call_s)
            if self._seen < self._limits.min_requests:
                return Judgement.OPEN
            self.reason = self._broken()
            passed = self.settles and self._seen >= _SETTLED_AFTER * self._limits.min_requests
            self._over = bool(self.reason) or passed
        if self.reason:
            return Judgement.BROKEN
        return Judgement.PASSED if passed else Judgement.OPEN

    def _remember(self, call_s: float | None) -> None:
        self._seen += 1
        self._records.append(call_s)
        if call_s is None:
            self._failed += 1
        else:
            bisect.insort(self._times_s, call_s)
        if len(self._records) > self._window:
            oldest_s = self._records.popleft()
            if oldest_s is None:
                self._failed -= 1
            else:
                del self._times_s[bisect.bisect_left(self._times_s, oldest_s)]

    def _broken(self) -> str:
        limits, records = self._limits, len(self._records)
        rate = self._failed / records
        if limits.max_error_rate is not None and rate > limits.max_error_rate:
            return f"{rate:.1%} of the last {records} records failed, the limit is {limits.max_error_rate:.1%}"
        if limits.max_p95_ms is not None and self._times_s:
            p95_ms = self._times_s[math.ceil(0.95 * len(self._times_s)) - 1] * 1000
            if p95_ms > limits.max_p95_ms:
                return f"the 95th percentile of a call is {p95_ms:.1f} ms, the limit is {limits.max_p95_ms:g} ms"
        return ""
