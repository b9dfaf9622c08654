"""The one shape of everything the loop serves."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

from vss.schemas.envelope import Outcome, Record

Result = Outcome | Exception
"""What a step says about one record: its outcome, or why there is none. The loop's error table decides what follows."""


class Unfinished(Exception):
    """A batch was not finished in the time it was given."""


class Pending(Protocol):
    """A micro-batch under way."""

    def results(self, timeout_s: float | None = None) -> list[Result]:
        """Waits, and returns one result a record, in the order of the batch.

        Raises:
            Unfinished: The batch needs more than `timeout_s`; it goes on.
        """

    def cancel(self) -> None:
        """Lets go of what has not started; `results` is not called any more."""


class Step(Protocol):
    """Makes outcomes of records. Holds no Kafka client, commits nothing, decides nothing about failures.

    `begin` is called on the loop's thread, for the next batch while an earlier one is still pending; it must not wait
    for inference. An exception that belongs to one record is returned in its place, so that its neighbours live on;
    one that `begin` or `results` raises is taken as the result of each record of the batch.
    """

    name: str

    def begin(self, batch: Sequence[Record]) -> Pending:
        """Starts work on a micro-batch."""

    def close(self) -> None:
        """Frees models and threads. Idempotent."""


@dataclass(frozen=True, slots=True)
class Done:
    """A batch that was finished at once: the `Pending` of steps that have nothing to overlap."""

    values: list[Result]

    def results(self, timeout_s: float | None = None) -> list[Result]:
        """The results, at once."""
        return self.values

    def cancel(self) -> None:
        """Nothing is left to cancel."""
