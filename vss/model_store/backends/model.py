"""What a backend gives: a loaded model, arrays in and arrays out."""

from __future__ import annotations

import threading
from collections.abc import Callable, Mapping
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray


class Interrupt:
    """Ends one call of a model that takes too long, as far as the runtime lets it. Thread-safe."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._fired = False
        self._end: Callable[[], None] | None = None

    @property
    def fired(self) -> bool:
        """Whether the call has been given up."""
        return self._fired

    def on_fire(self, end: Callable[[], None]) -> None:
        """What ends the call. Called by the backend before it starts it; at once when `fire` was first."""
        with self._lock:
            self._end = end
            fired = self._fired
        if fired:
            end()

    def fire(self) -> None:
        """Gives the call up."""
        with self._lock:
            self._fired = True
            end = self._end
        if end is not None:
            end()


class Model(Protocol):
    """A loaded model with one input. `run` may be called from several threads at once.

    Attributes:
        providers: What runs it, first choice first, such as `CPUExecutionProvider` or `cuda:0`.
        on_cpu: Whether the CPU does all the work.
        metadata: What the exporter wrote into the file.
        input_shape: Of the input, batch first; None takes any number.
        dtype: Of the input.
        resident_bytes: What it holds on its device, about.
    """

    providers: tuple[str, ...]
    on_cpu: bool
    metadata: Mapping[str, str]
    input_shape: tuple[int | None, ...]
    dtype: type[np.floating[Any]]
    resident_bytes: int

    def run(self, batch: NDArray[np.float32], interrupt: Interrupt | None = None) -> list[NDArray[Any]]:
        """Runs one batch.

        Args:
            batch: Of `input_shape`.
            interrupt: Ends the call early; it then raises.

        Returns:
            The outputs in the model's order, each with the batch as its first axis; what `features` names is the last.

        Raises:
            Exception: What the runtime raises.
        """

    def close(self) -> None:
        """Frees its memory. Idempotent; no call may be under way."""
