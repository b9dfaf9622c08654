"""Frees a model when nobody is in it any more."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager

from vss.model_store.backends.model import Model


class ModelUse:
    """Knows who is in a model. Thread-safe.

    Args:
        model: Closed with this.
    """

    def __init__(self, model: Model) -> None:
        self._model = model
        self._lock = threading.Lock()
        self._in_model = 0
        self._closed = False

    @property
    def closed(self) -> bool:
        """Whether no call may begin any more."""
        return self._closed

    @contextmanager
    def calling(self) -> Iterator[None]:
        """While a call is in the model, it is not freed.

        Raises:
            RuntimeError: It has been closed.
        """
        with self._lock:
            if self._closed:
                raise RuntimeError("the model is closed")
            self._in_model += 1
        try:
            yield
        finally:
            with self._lock:
                self._in_model -= 1
                last = self._closed and not self._in_model
            if last:
                self._model.close()

    def close(self) -> None:
        """Frees the model, at once or when the last call comes back that was given up. Idempotent."""
        with self._lock:
            if self._closed:
                return
            self._closed = True
            idle = not self._in_model
        if idle:
            self._model.close()
