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
from concurrent.futures import Executor
from contextlib import ExitStack, closing
from itertools import chain
from operator import attrgetter
from typing import Final

from vss.clock import Clock, Deadline
from vss.config import LoopSettings
from vss.errors import Action, StreamError, policy_for
from vss.logs import Logger
from vss.metrics import Metrics
from vss.schemas.envelope import Commit, Outcome, Record, TopicPartition
from vss.streams.checkpoint import Checkpoint
from vss.streams.micro_batch import MicroBatcher
from vss.streams.ports import Sink, Source
from vss.streams.runs import records_of
from vss.workers.loop.failures import OutcomeMaker
from vss.workers.loop.keyed_state import KeyedState
from vss.workers.loop.notes import NoteWriter
from vss.workers.loop.report import LoopReport
from vss.workers.loop.shedding import Shedder
from vss.workers.loop.state_keeper import StateKeeper
from vss.workers.loop.step import Done, Pending, Step, Unfinished
from vss.workers.loop.under_way import Batch, Settled, Transaction

_POLL_S = 0.25
# What is settled waits for the transaction before its own: how long something else may be waited for meanwhile.
_GLANCE_S = 0.001
_BACKOFF_S = 0.1
_BACKOFF_LIMIT_S = 2.0
# Batches that may wait for the transaction before theirs.
_SETTLED_BATCHES = 16
# Of the time a stop or a rebalance may take, what is kept for the last transaction.
_COMMIT_SHARE = 0.25
_MESSAGES: Final = attrgetter("messages")


class _GivenUp(Exception):
    """Work under way is left to be read again: the process stops or its partitions go."""


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
        state: What the step keeps by key; None for one that keeps nothing.
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
        state: KeyedState | None = None,
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
        notes = NoteWriter(topic=shed_topic, group=group, step=step.name, metrics=metrics)
        self._shedder = Shedder(notes, max_age_ms=settings.max_age_ms, clock=clock)
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
        self._state = StateKeeper(state, self._checkpoint)
        self._in_flight: deque[Batch] = deque()
        self._settled: list[Settled] = []
        self._transaction: Transaction | None = None
        self._settling = False
        self._finishing = False
        self._must_rewind = False
        self._leave_by: Deadline | None = None
        # In a row.
        self._aborts = 0

    def run(self, stop: threading.Event) -> None:
        """Works until `stop` is set, then finishes what it can within `stop_timeout_s` and leaves the group.

        Raises:
            Exception: What the error table answers with a crash; nothing is half-committed.
        """
        with closing(self):
            self.start(stop)
            while not stop.is_set():
                self.turn(_POLL_S)
            self.finish()

    # The parts of `run`, for whoever drives the loop turn by turn.

    def start(self, stop: threading.Event) -> None:
        """Joins the group; waits inside a turn end early once `stop` is set."""
        self._stop = stop
        self._source.subscribe(self._topics, self)

    def finish(self) -> None:
        """Finishes what it can within `stop_timeout_s`; what is left will be read again."""
        self._leave_by = Deadline.after(self._settings.stop_timeout_s, self._clock)
        self._try_to_finish("work under way is left to be read again")

    def close(self) -> None:
        """Leaves the group, in peace or after a crash, with nothing half-committed. Idempotent."""
        self._leave_by = self._leave_by or Deadline.after(self._settings.stop_timeout_s, self._clock)
        self._abandon()
        with ExitStack() as leaving:
            # Last in, first out: the group is left before the sink closes.
            for close in (self._step.close, self._sink.close, self._source.close):
                leaving.callback(close)

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
            self._aborts += 1
            self._abandon()
        except Unfinished:
            pass  # a stop or a rebalance must not wait for it: the next turn asks again
        except _GivenUp:
            self._abandon()
        self._report.turned(self._source, len(self._in_flight))

    def _advance(self, timeout_s: float) -> None:
        if self._transaction is not None and (self._transaction.future.done() or self._has_settled_enough()):
            self._end_transaction(_POLL_S)
            self._begin_transaction()
        read = False
        if len(self._in_flight) < self._settings.batches_in_flight:
            busy = bool(self._in_flight or self._settled)
            read = self._begin(0.0 if busy else timeout_s)
        if self._in_flight and (not read or len(self._in_flight) >= self._settings.batches_in_flight):
            self._settle(timeout_s=_GLANCE_S if self._settled else _POLL_S)
        if not self._in_flight and not self._settled and self._transaction is None:
            self._settled += self._state.timed(self._clock.now_ns())
        if self._settled and not self._in_flight:
            # Nothing else to do but to look for records now and then.
            self._end_transaction(_GLANCE_S)
        self._begin_transaction()

    def _has_settled_enough(self) -> bool:
        return sum(len(settled.outcomes) for settled in self._settled) >= _SETTLED_BATCHES * self._settings.max_batch

    def health(self) -> list[str]:
        """Why the loop is not alive; empty when it is. Callable from any thread."""
        return self._report.health()

    def readiness(self) -> list[str]:
        """Why the loop does not serve; empty when it does. Callable from any thread."""
        return self._report.readiness()

    # What the source tells us (`RebalanceListener`).

    def on_assigned(self, committed: Mapping[TopicPartition, Commit | None]) -> Mapping[TopicPartition, int]:
        """Partitions arrive: reading starts at their commits, or below, where state is to be rebuilt."""
        starts = self._state.start(committed)
        self._report.rebalanced("assigned", committed, self._checkpoint.partitions())
        self._logger.info("partitions assigned", partitions=_names(committed))
        return starts

    def on_revoked(self, partitions: Collection[TopicPartition]) -> None:
        """Partitions will go: what was read of them is settled and committed first."""
        # A batch that waits for Redis cannot be settled from inside this callback: their next owner reads it again.
        if not self._settling:
            self._try_to_finish("work on revoked partitions is left to their next owner")
        self._forget(partitions, "revoked")
        self._logger.info("partitions revoked", partitions=_names(partitions))

    def on_lost(self, partitions: Collection[TopicPartition]) -> None:
        """Partitions are gone: outcomes of them are dropped when their batch is settled."""
        self._forget(partitions, "lost")
        self._logger.warning("partitions lost", partitions=_names(partitions))

    def _forget(self, partitions: Collection[TopicPartition], kind: str) -> None:
        self._state.forget(partitions)
        # Should they come back, they start at their commit, which may lie behind what was polled of them.
        self._batcher.discard(partitions)
        self._report.rebalanced(kind, partitions, self._checkpoint.partitions())

    # The way of a batch.

    def _begin(self, timeout_s: float) -> bool:
        taken = self._checkpoint.take(self._batcher.next(timeout_s))
        runs = self._state.rebuild(taken)
        if not runs:
            return bool(taken)
        records = records_of(runs)
        self._report.began(len(records))
        notes = self._shedder.shed(records)
        for_step = [record for place, record in enumerate(records) if place not in notes] if notes else records
        terms = self._checkpoint.terms({run.partition for run in runs})
        pending = self._pending(for_step)
        self._in_flight.append(Batch(runs, notes, for_step, pending, terms, self._state.memory(terms)))
        return True

    def _pending(self, records: list[Record]) -> Pending:
        def again(places: Sequence[int]) -> Pending:
            return self._step.begin([records[i] for i in places])

        try:
            return self._step.begin(records) if records else Done([], again)
        except Exception as error:  # what it means for each record is in the error table
            if self._state.keeps:
                raise  # what of the batch is in the state, nobody knows: it must be built anew
            return Done([error] * len(records), again)

    def _settle(self, *, timeout_s: float, retry_timeout_s: float | None = None) -> None:
        """Moves the oldest batch from `_in_flight` to `_settled`; raises `Unfinished` where that takes longer."""
        batch = self._in_flight[0]
        self._settling = True
        try:
            made = self._maker.outcomes(
                batch.for_step, batch.pending, timeout_s=timeout_s, retry_timeout_s=retry_timeout_s
            )
        finally:
            self._settling = False
        self._in_flight.popleft()
        for run, outcomes in batch.settled(made):
            # A partition may have gone while the batch was under way.
            if self._checkpoint.holds(run.partition, batch.terms):
                memory = batch.memory.get(run.partition, "")
                self._checkpoint.stage(run.partition, run.records[-1].offset + 1, memory)
                self._settled.append(Settled(run.partition, outcomes, batch.terms))

    def _begin_transaction(self) -> None:
        if self._transaction is not None or not self._settled:
            return
        held = [s.outcomes for s in self._settled if self._checkpoint.holds(s.partition, s.terms)]
        outcomes = list(chain.from_iterable(held))
        self._settled = []
        commits = self._checkpoint.staged()
        if commits:
            future = self._committer.submit(self._commit, outcomes, commits, self._source.group())
            self._transaction = Transaction(commits, self._checkpoint.terms(commits), future)

    def _commit(self, outcomes: list[Outcome], commits: dict[TopicPartition, Commit], group: object) -> None:
        """Runs beside the loop."""
        started = self._clock.monotonic()
        self._sink.transact(list(chain.from_iterable(map(_MESSAGES, outcomes))), commits, group)
        self._report.committed(outcomes, self._clock.monotonic() - started)

    def _end_transaction(self, timeout_s: float) -> None:
        """Waits for the transaction under way, if there is one, and raises what it raised."""
        if (transaction := self._transaction) is None:
            return
        try:
            error = transaction.future.exception(timeout_s)
        except TimeoutError:
            raise Unfinished("the transaction is still under way") from None
        self._transaction = None
        if error is not None:
            raise error
        self._aborts = 0
        self._checkpoint.commit(transaction.commits, transaction.terms)

    def _try_to_finish(self, otherwise: str) -> None:
        """Settles and commits what is under way, until the deadline; the rest stays under way."""
        deadline = self._leave_by or Deadline.after(self._settings.stop_timeout_s, self._clock)
        self._finishing = True
        try:
            self._settle_all(deadline, otherwise)
            self._end_transaction(deadline.remaining_s())
            self._begin_transaction()
            self._end_transaction(deadline.remaining_s())
        except Unfinished as error:
            self._logger.warning(otherwise, reason=str(error))
        except StreamError as error:
            if policy_for(error).action is Action.CRASH:
                raise
            self._logger.warning(otherwise, reason=str(error))
            self._aborts += 1
            self._abandon()
        finally:
            self._finishing = False

    def _settle_all(self, deadline: Deadline, otherwise: str) -> None:
        reserve_s = _COMMIT_SHARE * self._settings.stop_timeout_s
        try:
            while self._in_flight:
                left_s = max(0.0, deadline.remaining_s() - reserve_s)
                self._settle(timeout_s=left_s, retry_timeout_s=left_s)
        except (Unfinished, _GivenUp) as error:
            # The batches before it are whole. It may be asked again for the partitions that stay.
            self._logger.warning(otherwise, reason=str(error))

    def _abandon(self) -> None:
        """Lets go of everything that has no durable outcome; it will be read again."""
        for batch in self._in_flight:
            batch.pending.cancel()
        self._in_flight.clear()
        self._settled.clear()
        self._checkpoint.abandon()
        self._must_rewind = True

    def _rewind(self) -> None:
        """Goes back to the committed offsets, as the broker knows them."""
        # What was read since would be committed over the gap.
        self._abandon()
        if self._aborts > 1:
            self._clock.wait(self._stop, min(_BACKOFF_S * 2 ** (self._aborts - 2), _BACKOFF_LIMIT_S))
        try:
            # Until a transaction under way has ended, nothing is certain.
            self._end_transaction(_POLL_S)
            committed = self._source.committed(self._source.assignment())
            self._batcher.discard()
            starts = self._state.start(committed)
            for partition, commit in committed.items():
                offset = commit.offset if commit is not None else None
                self._source.seek(partition, starts.get(partition, offset))
        except (StreamError, Unfinished) as error:
            if policy_for(error).action is Action.CRASH:
                raise
            self._logger.debug("cannot rewind yet", reason=str(error))
            self._clock.wait(self._stop, _BACKOFF_S)
            self._batcher.keep_alive(0.0)
            return
        self._batcher.resume()
        self._must_rewind = False

    def _pause(self, seconds: float) -> None:
        """Waits while a batch cannot be processed, and stays a member of the group."""
        deadline = Deadline.after(seconds, self._clock)
        while not deadline.passed():
            # Inside a rebalance the source must not be polled, and its partitions' next owner is waiting.
            if self._stop.is_set() or self._finishing:
                raise _GivenUp("the worker stops" if self._stop.is_set() else "its partitions go")
            self._batcher.keep_alive(min(deadline.remaining_s(), _POLL_S))
            self._report.turned(self._source, len(self._in_flight))
        self._batcher.resume()


def _names(partitions: Collection[TopicPartition]) -> list[str]:
    return [f"{p.topic}[{p.partition}]" for p in sorted(partitions)]
