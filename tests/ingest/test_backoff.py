from __future__ import annotations

import random

from vss.workers.ingest.backoff import Backoff


def test_waits_double_up_to_a_limit_with_jitter_below() -> None:
    backoff = Backoff(random.Random(7), first_s=1, most_s=8)
    waits = [backoff.next_s() for _ in range(100)]
    for wait, ceiling in zip(waits, [1, 2, 4, *([8] * 97)], strict=True):
        assert ceiling / 2 <= wait <= ceiling
    assert len(set(waits)) == 100


def test_after_a_reset_waits_are_short_again() -> None:
    backoff = Backoff(random.Random(7), first_s=1, most_s=8)
    for _ in range(5):
        backoff.next_s()
    backoff.reset()
    assert backoff.next_s() <= 1
