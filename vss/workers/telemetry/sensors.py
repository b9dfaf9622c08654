"""Which sensors are expected."""

from __future__ import annotations

import fnmatch
import re
from collections.abc import Iterable, Sequence
from typing import Final

_REMEMBERED: Final = 100_000


class ExpectedSensors:
    """Tells the sensors that patterns name from others.

    Args:
        patterns: Of sensor ids, as a shell would match them (`pump-*`).
    """

    def __init__(self, patterns: Sequence[str]) -> None:
        self._patterns = [re.compile(fnmatch.translate(pattern)) for pattern in patterns]
        self._expected: dict[bytes, bool] = {}

    def unknown(self, keys: Iterable[bytes | None]) -> set[bytes]:
        """Those of some keys that no pattern names; a key that is none is left to whoever reads the record."""
        return {key for key in set(keys) if key and not self._known(key)}

    def _known(self, key: bytes) -> bool:
        found = self._expected.get(key)
        if found is None:
            text = key.decode("utf-8", "replace")
            found = any(pattern.match(text) for pattern in self._patterns)
            if len(self._expected) >= _REMEMBERED:
                # Keys are whatever producers write: what is remembered of them must not grow for ever.
                self._expected.clear()
            self._expected[key] = found
        return found
