"""What a step asks of the series models it serves, many windows at a time, and what it gets."""

from __future__ import annotations

from collections.abc import Sequence
from concurrent.futures import Future
from dataclasses import dataclass
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from vss.model_store.tasks.series.imputing import Windows
from vss.model_store.tasks.series.results import ScoredWindows


@dataclass(frozen=True, slots=True)
class WindowsRequest:
    """Windows that one version answers.

    Attributes:
        windows: Shape (n, readings, features), float32.
        key: Of the first one's record.
        task: What a model must do to answer them.
        model: The model that they ask for by name; None leaves it to the key and the default.
    """

    windows: Windows
    key: bytes
    task: str
    model: str | None = None


@dataclass(frozen=True, slots=True)
class Scoring:
    """Windows of a micro-batch that one version answers.

    Attributes:
        places: Which windows these are, ascending; every window of the batch is in one scoring.
        future: What is said about them, a row for each place. It raises what belongs to all of them: `UnknownModel`,
            `StoreUnavailable`.
    """

    places: NDArray[np.intp]
    future: Future[ScoredWindows]


class WindowServer(Protocol):
    """Answers windows; what a telemetry step talks to."""

    def submit_windows(
        self, windows: Windows, keys: Sequence[bytes], models: Sequence[str | None] | None, task: str
    ) -> list[Scoring]:
        """Starts work on windows. Called on the loop's thread: waits neither for inference nor for a model that loads.

        Args:
            windows: Shape (n, readings, features), float32, NaN where a value is missing. Not to be written to before
                there is a result.
            keys: Of their records; choose the model by pattern, and the side of a canary.
            models: The model that each asks for by name; None where none does.
            task: What a model must do to answer them.
        """

    def close(self) -> None:
        """Frees models and threads. Idempotent."""
