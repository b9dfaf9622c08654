"""What a step asks of the models it serves, and what it gets."""

from __future__ import annotations

from collections.abc import Sequence
from concurrent.futures import Future
from dataclasses import dataclass
from typing import Any, Generic, Protocol, TypeVar

from vss.model_store.runner.answer import Answer
from vss.model_store.runner.picture import Picture

R_co = TypeVar("R_co", covariant=True)


@dataclass(frozen=True, slots=True)
class Request:
    """One picture to look at.

    Attributes:
        picture: Not decoded yet.
        key: Of its record; chooses the model by pattern, and the side of a canary.
        task: What a model must do to answer it.
        model: The model that is asked for by name; None leaves it to the key and the default.
        content: What tells it from other pictures, byte for byte; None is never answered from the result cache.
    """

    picture: Picture
    key: bytes
    task: str
    model: str | None = None
    content: bytes | None = None


@dataclass(frozen=True, slots=True)
class Served(Generic[R_co]):
    """An answer and who gave it.

    Attributes:
        answer: What was found.
        name: Of the model.
        version: Of the model.
        cached: Whether the same picture was answered before, and the model not asked again.
    """

    answer: Answer[R_co]
    name: str
    version: str
    cached: bool = False


class Server(Protocol):
    """Answers requests; what a step talks to."""

    def submit(self, requests: Sequence[Request]) -> list[Future[Served[Any]]]:
        """Starts work on them. Called on the loop's thread: waits neither for inference nor for a model that loads.

        Returns:
            One future a request. It raises what belongs to its record alone: a `BadRecord`, `InferenceFailed`, …
        """

    def close(self) -> None:
        """Frees models and threads. Idempotent."""
