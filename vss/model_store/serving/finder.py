"""Where models to serve come from: the store, or a file that the operator names."""

from __future__ import annotations

from pathlib import Path
from typing import Final, Protocol

from vss.clock import Clock
from vss.config import ModelSettings
from vss.metrics import Metrics
from vss.model_store.resolve import ModelRef, resolve_file
from vss.model_store.store import ModelStore

_NAMES_HOLD_S: Final = 5.0


class Finder(Protocol):
    """Finds model files. Called on the loader's thread; may take as long as a download does."""

    def knows(self, name: str) -> bool:
        """Whether the store has a model of that name, as far as is known; asks it once in a while."""

    def find(self, name: str, version: str) -> ModelRef:
        """A version of the store, checked and on this machine; `latest` is the highest.

        Raises:
            ModelError: There is none that can be served.
            ConfigError: Its manifest does not fit.
            StoreUnavailable: The store does not answer.
        """

    def file(self, path: Path) -> ModelRef:
        """A file outside the store.

        Raises:
            ModelError: There is none that can be served.
            ConfigError: Its manifest does not fit.
        """


class StoreFinder:
    """Finds models in the store that the settings name (see `Finder`).

    Args:
        settings: The store.
        clock: For how long the store's names hold.
        metrics: Where downloads are counted.
    """

    def __init__(self, settings: ModelSettings, clock: Clock, metrics: Metrics | None = None) -> None:
        self._store = ModelStore.of(settings, metrics=metrics)
        self._clock = clock
        self._names: frozenset[str] = frozenset()
        self._listed_s: float | None = None

    def knows(self, name: str) -> bool:
        """See `Finder.knows`."""
        now_s = self._clock.monotonic()
        # A name may be new; but names that nobody ever had must not cost a look into the store each.
        if name not in self._names and (self._listed_s is None or now_s - self._listed_s >= _NAMES_HOLD_S):
            self._names = frozenset(self._store.names())
            self._listed_s = now_s
        return name in self._names

    def find(self, name: str, version: str) -> ModelRef:
        """See `Finder.find`."""
        return self._store.find(name, version)

    def file(self, path: Path) -> ModelRef:
        """See `Finder.file`."""
        return resolve_file(path)
