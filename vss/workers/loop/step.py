"""The one shape of everything the loop serves."""

from __future__ import annotations

from collections.abc import Callable, Sequence
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

    def again(self, indices: Sequence[int]) -> Pending:
        """Tries some records of this batch once more; what a step took into its state is not taken in again.

        Args:
            indices: Their places in this batch.
        """

    def cancel(self) -> None:
        """Lets go of what has not started; `results` is not called any more."""


class Step(Protocol):
    """Makes outcomes of records. Holds no Kafka client, commits nothing, decides nothing about failures.

    A step that keeps state by key offers it to the loop as a `KeyedState` and takes records into it in `begin`, once.
    `begin` is called on the loop's thread, for the next batch while an earlier one is still pending; it must not wait
    for inference. An exception that belongs to one record is returned in its place, so that its neighbours live on;
    one that `begin` or `results` raises is taken as the result of each record of the batch. From a step with state,
    `begin` must raise nothing: the loop ends, for nobody knows what of the batch is in the state.
    """

    name: str

    def begin(self, batch: Sequence[Record]) -> Pending:
        """Starts work on a micro-batch."""

    def close(self) -> None:
        """Frees models and threads. Idempotent."""


@dataclass(frozen=True, slots=True)
class Done:
    """A batch that was finished at once: the `Pending` of steps that have nothing to overlap.

    Attributes:
        values: One a record.
        retry: Starts some of the records once more, by their places.
    """

    values: list[Result]
    retry: Callable[[Sequence[int]], Pending]

    def results(self, timeout_s: float | None = None) -> list[Result]:
        """The results, at once."""
        return self.values

    def again(self, indices: Sequence[int]) -> Pending:
        """See `Pending.again`."""
        return self.retry(indices)

    def cancel(self) -> None:
        """Nothing is left to cancel."""


def final(results: list[Result]) -> Done:
    """A batch whose results stand: records that are tried once more have those they had.

    Args:
        results: One a record.
    """
    return Done(results, lambda indices: final([results[i] for i in indices]))
