"""The loop: the one place that polls, calls the step, commits and handles failure.

    poll a micro-batch → step.begin → … → one outcome a record → one transaction with the offsets

Up to `batches_in_flight` micro-batches are under way at once, so that decoding the next overlaps inference of this one,
and one transaction runs beside them. Batches are settled in the order they were read. What is settled while a
transaction runs joins the next one: the larger the backlog, the fewer and larger the transactions.
"""

from __future__ import annotations

import threading
from collections import deque
from collections.abc import Collection, Mapping, Sequence
from concurrent import futures
from concurrent.futures import Executor, Future
from dataclasses import dataclass

from vss.clock import Clock, Deadline
from vss.config import LoopSettings
from vss.errors import Action, StreamError, policy_for
from vss.logs import Logger
from vss.metrics import Metrics
from vss.schemas.envelope import Commit, Outcome, Record, TopicPartition
from vss.streams.checkpoint import Checkpoint
from vss.streams.micro_batch import MicroBatcher
from vss.streams.ports import Sink, Source
from vss.workers.failures import OutcomeMaker
from vss.workers.loop_report import LoopReport
from vss.workers.shedding import Shedder
from vss.workers.step import Done, Pending, Step, Unfinished

_POLL_S = 0.25
_BACKOFF_S = 0.2


class _GivenUp(Exception):
    """Work under way is left to be read again: the process stops or its partitions go."""


@dataclass(frozen=True, slots=True)
class _Batch:
    """A micro-batch under way.

    Attributes:
        records: What was polled.
        notes: For each record the note of its shedding, or None where the step works on it.
        pending: The step's work.
        terms: Each partition's term when the batch was read (see `Checkpoint`).
    """

    records: list[Record]
    notes: list[Outcome | None]
    pending: Pending
    terms: Mapping[TopicPartition, int]

    def for_step(self) -> list[Record]:
        return [record for record, note in zip(self.records, self.notes, strict=True) if note is None]


@dataclass(frozen=True, slots=True)
class _Settled:
    record: Record
    outcome: Outcome
    terms: Mapping[TopicPartition, int]


@dataclass(slots=True)
class _Transaction:
    commits: dict[TopicPartition, Commit]
    future: Future[None]


class Loop:
    """Serves one step on one source and one sink. `run` belongs to one thread; `health` may be called from any.

    Args:
        step: What is done with each record.
        source: Not yet subscribed.
        sink: Where outcomes go.
        topics: What to read.
        settings: Batches, waits and limits.
        dead_letter_topic: Where dead letters go.
        shed_topic: Where notes about shed records go.
        group: Consumer group, named in dead letters and notes.
        committer: Runs transactions beside the loop; one thread is enough.
        metrics: Where everything is counted.
        clock: For waits and ages.
        logger: For what a person wants to know.
    """

    def __init__(
        self,
        step: Step,
        source: Source,
        sink: Sink,
        *,
        topics: Sequence[str],
        settings: LoopSettings,
        dead_letter_topic: str,
        shed_topic: str,
        group: str,
        committer: Executor,
        metrics: Metrics,
        clock: Clock,
        logger: Logger,
    ) -> None:
        self._step = step
        self._source = source
        self._sink = sink
        self._topics = topics
        self._settings = settings
        self._committer = committer
        self._clock = clock
        self._logger = logger
        self._stop = threading.Event()
        self._report = LoopReport(step.name, metrics, clock)
        self._shedder = Shedder(topic=shed_topic, group=group, max_age_ms=settings.max_age_ms, clock=clock)
        self._maker = OutcomeMaker(
            step, group=group, dead_letter_topic=dead_letter_topic, wait=self._pause, metrics=metrics, logger=logger
        )
        self._batcher = MicroBatcher(
            source,
            max_items=settings.max_batch,
            max_bytes=settings.max_batch_bytes,
            max_wait_s=settings.max_wait_ms / 1000,
            clock=clock,
        )
        self._checkpoint = Checkpoint()
        self._in_flight: deque[_Batch] = deque()
        self._settled: list[_Settled] = []
        self._transaction: _Transaction | None = None
        self._settling = False
        self._must_rewind = False

    def run(self, stop: threading.Event) -> None:
        """Works until `stop` is set, then finishes what it can within `stop_timeout_s` and leaves the group.

        Raises:
            Exception: What the error table answers with a crash; nothing is half-committed.
        """
        self._stop = stop
        self._source.subscribe(self._topics, self)
        try:
            while not stop.is_set():
                self.turn(_POLL_S)
            self._try_to_finish("work under way is left to be read again")
        finally:
            self._abandon()
            self._source.close()
            self._sink.close()
            self._step.close()

    def turn(self, timeout_s: float) -> None:
        """One round: read what is there, settle the oldest batch when it is due, start a transaction.

        Args:
            timeout_s: How long to wait for a record when there is nothing else to do.
        """
        try:
            if self._must_rewind:
                self._rewind()
            else:
                self._advance(timeout_s)
        except StreamError as error:
            if policy_for(error).action not in (Action.REWIND, Action.PAUSE):
                raise
            self._logger.warning("reads again from the last commit", reason=str(error))
            self._report.aborted()
            self._abandon()
            self._must_rewind = True
        except _GivenUp:
            self._abandon()
        self._report.turned(self._source, len(self._in_flight))

    def _advance(self, timeout_s: float) -> None:
        self._end_transaction(wait=False)
        busy = bool(self._in_flight or self._settled)
        read = self._begin(0.0 if busy else timeout_s)
        if self._in_flight and (not read or len(self._in_flight) >= self._settings.batches_in_flight):
            self._settle()
        if self._settled and not self._in_flight:
            # Nothing else to do: the next transaction must not wait for the next record.
            self._end_transaction(wait=True)
        self._begin_transaction()

    def health(self) -> list[str]:
        """Why the loop is not alive; empty when it is. Callable from any thread."""
        return self._report.health()

    def readiness(self) -> list[str]:
        """Why the loop does not serve; empty when it does. Callable from any thread."""
        return self._report.readiness()

    # What the source tells us (`RebalanceListener`).

    def on_assigned(self, committed: Mapping[TopicPartition, Commit | None]) -> Mapping[TopicPartition, int]:
        """Partitions arrive: reading starts at their commits."""
        self._checkpoint.assign(list(committed))
        self._report.rebalanced("assigned", committed, self._checkpoint.partitions())
        self._logger.info("partitions assigned", partitions=_names(committed))
        return {}

    def on_revoked(self, partitions: Collection[TopicPartition]) -> None:
        """Partitions will go: what was read of them is settled and committed first."""
        # A batch that waits for Redis cannot be settled from inside this callback: their next owner reads it again.
        if not self._settling:
            self._try_to_finish("work on revoked partitions is left to their next owner")
        self._checkpoint.forget(partitions)
        self._report.rebalanced("revoked", partitions, self._checkpoint.partitions())
        self._logger.info("partitions revoked", partitions=_names(partitions))

    def on_lost(self, partitions: Collection[TopicPartition]) -> None:
        """Partitions are gone: outcomes of them are dropped when their batch is settled."""
        self._checkpoint.forget(partitions)
        self._report.rebalanced("lost", partitions, self._checkpoint.partitions())
        self._logger.warning("partitions lost", partitions=_names(partitions))

    # The way of a batch.

    def _begin(self, timeout_s: float) -> bool:
        records = self._checkpoint.take(self._batcher.next(timeout_s))
        if not records:
            return False
        notes = [self._shedder.shed(record) for record in records]
        rest = [record for record, note in zip(records, notes, strict=True) if note is None]
        self._report.began(len(records))
        self._in_flight.append(_Batch(records, notes, self._pending(rest), self._checkpoint.terms(records)))
        return True

    def _pending(self, records: list[Record]) -> Pending:
        try:
            return self._step.begin(records) if records else Done([])
        except Exception as error:  # what it means for each record is in the error table
            return Done([error] * len(records))

    def _settle(self, timeout_s: float | None = None) -> None:
        batch = self._in_flight[0]
        self._settling = True
        try:
            outcomes = iter(self._maker.outcomes(batch.for_step(), batch.pending, timeout_s))
        finally:
            self._settling = False
        self._in_flight.popleft()
        for record, note in zip(batch.records, batch.notes, strict=True):
            outcome = note if note is not None else next(outcomes)
            # A partition may have gone while the batch was under way.
            if self._checkpoint.holds(record.topic_partition, batch.terms):
                self._checkpoint.stage(record)
                self._settled.append(_Settled(record, outcome, batch.terms))

    def _begin_transaction(self) -> None:
        if self._transaction is not None or not self._settled:
            return
        outcomes = [s.outcome for s in self._settled if self._checkpoint.holds(s.record.topic_partition, s.terms)]
        self._settled = []
        commits = self._checkpoint.staged()
        if commits:
            future = self._committer.submit(self._commit, outcomes, commits, self._source.group())
            self._transaction = _Transaction(commits, future)

    def _commit(self, outcomes: list[Outcome], commits: dict[TopicPartition, Commit], group: object) -> None:
        """Runs beside the loop."""
        started = self._clock.monotonic()
        self._sink.transact([message for outcome in outcomes for message in outcome.messages], commits, group)
        self._report.committed(outcomes, self._clock.monotonic() - started)

    def _end_transaction(self, *, wait: bool, timeout_s: float | None = None) -> None:
        transaction = self._transaction
        if transaction is None or not (wait or transaction.future.done()):
            return
        finished, _ = futures.wait([transaction.future], timeout_s)
        if not finished:
            raise Unfinished("the transaction is still under way")
        self._transaction = None
        transaction.future.result()
        self._checkpoint.commit(transaction.commits)

    def _finish(self, deadline: Deadline) -> None:
        """Settles and commits everything under way, or gives it up at the deadline."""
        while self._in_flight:
            self._settle(deadline.remaining_s())
        self._end_transaction(wait=True, timeout_s=deadline.remaining_s())
        self._begin_transaction()
        self._end_transaction(wait=True, timeout_s=max(deadline.remaining_s(), 1.0))

    def _try_to_finish(self, otherwise: str) -> None:
        try:
            self._finish(Deadline.after(self._settings.stop_timeout_s, self._clock))
        except (StreamError, Unfinished, _GivenUp) as error:
            self._logger.warning(otherwise, reason=str(error))
            self._abandon()
            self._must_rewind = True

    def _abandon(self) -> None:
        """Lets go of everything that has no durable outcome; it will be read again."""
        for batch in self._in_flight:
            batch.pending.cancel()
        self._in_flight.clear()
        self._settled.clear()

    def _rewind(self) -> None:
        """Goes back to the committed offsets, as the broker knows them."""
        self._batcher.discard()
        try:
            # Until a transaction under way has ended, nothing is certain.
            self._end_transaction(wait=True)
            committed = self._source.committed(self._source.assignment())
            for partition, commit in committed.items():
                self._source.seek(partition, commit.offset if commit is not None else None)
        except StreamError as error:
            self._logger.debug("cannot rewind yet", reason=str(error))
            self._clock.wait(self._stop, _BACKOFF_S)
            self._batcher.keep_alive(0.0)
            return
        self._checkpoint.rewind(committed)
        self._batcher.resume()
        self._must_rewind = False

    def _pause(self, seconds: float) -> None:
        """Waits while a batch cannot be processed, and stays a member of the group."""
        deadline = Deadline.after(seconds, self._clock)
        while not deadline.passed():
            if self._stop.is_set():
                raise _GivenUp("the worker stops")
            self._batcher.keep_alive(min(deadline.remaining_s(), _POLL_S))
        self._batcher.resume()


def _names(partitions: Collection[TopicPartition]) -> list[str]:
    return [f"{p.topic}[{p.partition}]" for p in sorted(partitions)]
