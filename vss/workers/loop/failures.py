"""From what a step says about a batch to one outcome a record: retries, pauses and dead letters by the error table."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import cast

from vss.errors import Action, BrokenPromise, policy_for
from vss.logs import Logger
from vss.metrics import Metrics
from vss.schemas.envelope import Outcome, OutcomeKind, Record
from vss.streams.dead_letters import dead_letter
from vss.workers.loop.step import Pending, Result, Step, Unfinished

_PAUSE_S = (0.1, 0.2, 0.5, 1.0, 2.0, 5.0)


class OutcomeMaker:
    """Turns results into outcomes, and failures into what the table in `vss.errors` says.

    Args:
        step: What is asked again when a record or batch is retried.
        group: Consumer group, named in dead letters.
        dead_letter_topic: Where dead letters go.
        wait: Waits that many seconds while a batch is paused; raises to give the batch up.
        metrics: Counts errors and dead letters.
        logger: Told once when a pause begins and once when it ends, and of each dead letter.
    """

    def __init__(
        self,
        step: Step,
        *,
        group: str,
        dead_letter_topic: str,
        wait: Callable[[float], None],
        metrics: Metrics,
        logger: Logger,
    ) -> None:
        self._step = step
        self._group = group
        self._topic = dead_letter_topic
        self._wait = wait
        self._metrics = metrics
        self._logger = logger
        self._retry_timeout_s: float | None = None

    def outcomes(
        self,
        batch: Sequence[Record],
        pending: Pending,
        *,
        timeout_s: float | None = None,
        retry_timeout_s: float | None = None,
    ) -> list[Outcome]:
        """One outcome a record, in the order of the batch.

        Args:
            batch: The records.
            pending: The step's work on them.
            timeout_s: How long to wait for that work.
            retry_timeout_s: How long to wait for each further try.

        Raises:
            Unfinished: The batch needs more than that; it may be asked for again.
            BrokenPromise: The step gave another number of results than records, or one that is none.
            Exception: What the table answers with a crash, and whatever `wait` raises.
        """
        self._retry_timeout_s = retry_timeout_s
        results = self._results(batch, lambda: pending.results(timeout_s))
        if set(map(type, results)) <= {Outcome}:
            # What a batch without failures comes to; an outcome that many records share is checked once.
            outcomes = cast("list[Outcome]", results)
            for outcome in {id(outcome): outcome for outcome in outcomes}.values():
                self._check(outcome)
            return outcomes
        results = self._through_pauses(batch, pending, range(len(batch)), results)
        return [self._outcome(batch, pending, place, result) for place, result in enumerate(results)]

    def _results(self, batch: Sequence[Record], ask: Callable[[], list[Result]]) -> list[Result]:
        try:
            results = ask()
        except Unfinished:
            raise
        except Exception as error:  # the table decides, record by record
            return [error] * len(batch)
        if len(results) != len(batch):
            raise BrokenPromise(f"step {self._step.name} gave {len(results)} results for {len(batch)} records")
        return results

    def _again(self, batch: Sequence[Record], pending: Pending, places: Sequence[int]) -> list[Result]:
        return self._results([batch[i] for i in places], lambda: pending.again(places).results(self._retry_timeout_s))

    def _through_pauses(
        self, batch: Sequence[Record], pending: Pending, places: Sequence[int], results: Sequence[Result]
    ) -> list[Result]:
        """Tries what is paused until it no longer is.

        Args:
            batch: The records.
            pending: The step's work on them.
            places: Those that the results are of.
            results: One a place.
        """
        results = list(results)
        attempt = 0
        while paused := [i for i, result in enumerate(results) if _action(result) is Action.PAUSE]:
            error = results[paused[0]]
            self._count(error, Action.PAUSE)
            if attempt == 0:
                self._logger.warning("paused", reason=str(error), error=type(error).__name__, records=len(paused))
            self._wait(_PAUSE_S[min(attempt, len(_PAUSE_S) - 1)])
            attempt += 1
            again = self._again(batch, pending, [places[i] for i in paused])
            for i, result in zip(paused, again, strict=True):
                results[i] = result
        if attempt:
            self._logger.info("goes on", attempts=attempt)
        return results

    def _outcome(self, batch: Sequence[Record], pending: Pending, place: int, result: Result) -> Outcome:
        attempts = 1
        while isinstance(result, Exception):
            policy = policy_for(result)
            if policy.action is Action.RETRY and attempts < policy.attempts:
                self._count(result, Action.RETRY)
                attempts += 1
                again = self._again(batch, pending, [place])
                [result] = self._through_pauses(batch, pending, [place], again)
            elif policy.action in (Action.RETRY, Action.DEAD_LETTER):
                return self._dead_letter(batch[place], result)
            else:
                self._count(result, policy.action)
                raise result
        self._check(result)
        return result

    def _check(self, result: object) -> None:
        """A record whose outcome writes nothing would vanish unseen, but in a view or in a window that events name."""
        if not isinstance(result, Outcome):
            raise BrokenPromise(f"step {self._step.name} gave a {type(result).__name__} for an outcome")
        if not result.messages and result.kind not in (OutcomeKind.VIEW, OutcomeKind.TAKEN):
            raise BrokenPromise(f"step {self._step.name} gave an outcome ({result.kind}) that writes nothing")

    def _dead_letter(self, record: Record, error: Exception) -> Outcome:
        self._count(error, Action.DEAD_LETTER)
        self._metrics.dead_letters.labels(self._step.name, type(error).__name__).inc()
        self._logger.warning(
            "dead letter",
            topic=record.topic,
            partition=record.partition,
            offset=record.offset,
            error=type(error).__name__,
            reason=str(error)[:200],
        )
        letter = dead_letter(record, error, topic=self._topic, group=self._group, stage=self._step.name)
        return Outcome(OutcomeKind.DEAD_LETTER, (letter,))

    def _count(self, error: object, action: Action) -> None:
        self._metrics.errors.labels(type(error).__name__, action.value).inc()


def _action(result: Result) -> Action | None:
    return policy_for(result).action if isinstance(result, Exception) else None
