"""Which keys a canary serves."""

from __future__ import annotations

import hashlib

_STEPS = 1 << 32


def on_canary(name: str, key: bytes, percent: int) -> bool:
    """Whether a record of that key goes to the canary of a model.

    A key has one place for each model, so that it stays on its side whoever serves it, keys that a canary of 10 percent
    serves are among those of one of 50, and two models do not try their canaries on the same cameras.

    Args:
        name: Of the model.
        key: Of the record.
        percent: Share of the keys that the canary serves, 0..100.
    """
    digest = hashlib.blake2b(key, digest_size=4, person=hashlib.blake2b(name.encode(), digest_size=16).digest())
    return int.from_bytes(digest.digest(), "big") * 100 < percent * _STEPS
