"""Who may talk to the GPU while a CUDA graph is being captured: nobody else."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager


class CaptureGate:
    """Lets calls pass side by side, and a capture alone.

    While a stream is captured in CUDA's global mode, as ONNX Runtime does it, an allocation or a copy by any thread of
    the process fails, and the capture with it. Captures are made when a model is loaded, and take one call's time.
    Loading a model takes seconds: a capture waits for that without keeping calls waiting.
    """

    def __init__(self) -> None:
        self._changed = threading.Condition()
        self._calls = 0
        self._loads = 0
        self._capturing = False

    @contextmanager
    def call(self) -> Iterator[None]:
        """Waits for a capture, and keeps the next one waiting."""
        with self._changed:
            self._changed.wait_for(lambda: not self._capturing)
            self._calls += 1
        try:
            yield
        finally:
            with self._changed:
                self._calls -= 1
                self._changed.notify_all()

    @contextmanager
    def load(self) -> Iterator[None]:
        """Waits for a capture, and keeps the next one, but no call, waiting."""
        with self._changed:
            self._changed.wait_for(lambda: not self._capturing)
            self._loads += 1
        try:
            yield
        finally:
            with self._changed:
                self._loads -= 1
                self._changed.notify_all()

    @contextmanager
    def capture(self) -> Iterator[None]:
        """Waits until nothing is under way, and keeps all others waiting."""
        with self._changed:
            self._changed.wait_for(lambda: not self._capturing and not self._loads)
            self._capturing = True
            self._changed.wait_for(lambda: not self._calls)
        try:
            yield
        finally:
            with self._changed:
                self._capturing = False
                self._changed.notify_all()
