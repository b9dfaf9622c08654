"""A fleet in memory whose every wait is a chance for something else to happen."""

from __future__ import annotations

import contextlib
import threading
from collections import deque
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

import structlog

from vss.codecs.events import decode_event
from vss.config import LoopSettings
from vss.errors import CacheUnavailable, InferenceFailed, UndecodableImage, VssError
from vss.metrics import Metrics
from vss.schemas.envelope import Headers, Message, Outcome, OutcomeKind, Record, TopicPartition
from vss.schemas.events import ShedNote, SourceCoordinates
from vss.streams.dead_letters import reason_of
from vss.testing import DeferredExecutor, InMemoryBroker, InMemorySink, InMemorySource, ManualClock
from vss.workers.loop.loop import Loop
from vss.workers.loop.step import Result, Unfinished

GROUP = "g"
PARTITIONS = 3
OLD = (("ce_time", b"2001-01-01T00:00:00Z"),)
SILENT = structlog.wrap_logger(
    structlog.PrintLogger(), processors=[lambda *_: (_ for _ in ()).throw(structlog.DropEvent)]
)


class BusyClock(ManualClock):
    """A clock on which the world goes on while somebody waits.

    Attributes:
        meanwhile: What happens next; one a wait.
    """

    def __init__(self) -> None:
        super().__init__()
        self.meanwhile: deque[Callable[[], object]] = deque()
        self._inside = False

    def wait(self, event: threading.Event, timeout_s: float) -> bool:
        self.happen()
        return super().wait(event, timeout_s)

    def happen(self) -> None:
        """Lets the next thing happen, unless one is happening."""
        if self.meanwhile and not self._inside:
            self._inside = True
            try:
                self.meanwhile.popleft()()
            finally:
                self._inside = False


@dataclass
class Moods:
    """What steps do next, shared by the fleet.

    Attributes:
        outage_until_s: Until then, records that need Redis find it away.
        raises_in_begin: The next `begin` raises it.
        raises_in_results: The next `results` raises it.
        slow: The next batch is unfinished so many times.
        have_raised: Whether any step ever raised so.
    """

    outage_until_s: float = 0.0
    raises_in_begin: Exception | None = None
    raises_in_results: Exception | None = None
    slow: int = 0
    have_raised: bool = False


class ScriptedStep:
    """Does with each record what its value says."""

    name = "scripted"

    def __init__(self, clock: BusyClock, moods: Moods) -> None:
        self._clock = clock
        self._moods = moods
        self._failed_once: set[tuple[int, int]] = set()

    def begin(self, batch: Sequence[Record]) -> _Pending:
        error, self._moods.raises_in_begin = self._moods.raises_in_begin, None
        if error is not None:
            raise error
        slow, self._moods.slow = self._moods.slow, 0
        return _Pending(self, batch, self._clock, self._moods, slow)

    def close(self) -> None:
        pass

    def result(self, record: Record) -> Result:
        value = record.value or b""
        place = (record.partition, record.offset)
        if value == b"poison":
            return UndecodableImage("poison")
        if value == b"hopeless":
            return RuntimeError("hopeless")
        if value == b"flaky" and place not in self._failed_once:
            self._failed_once.add(place)
            return InferenceFailed("this once")
        if value == b"cached" and self._clock.monotonic() < self._moods.outage_until_s:
            return CacheUnavailable("Redis is away")
        text = f"{record.partition}:{record.offset}".encode()
        return Outcome(OutcomeKind.EVENT, (Message("out", record.key, text),))


@dataclass
class _Pending:
    step: ScriptedStep
    batch: Sequence[Record]
    clock: BusyClock
    moods: Moods
    slow: int

    def results(self, timeout_s: float | None = None) -> list[Result]:
        self.clock.happen()
        if self.slow and timeout_s is not None:
            self.slow -= 1
            self.clock.advance(timeout_s)
            raise Unfinished("slow")
        error, self.moods.raises_in_results = self.moods.raises_in_results, None
        if error is not None:
            raise error
        return [self.step.result(record) for record in self.batch]

    def again(self, indices: Sequence[int]) -> _Pending:
        return self.step.begin([self.batch[i] for i in indices])

    def cancel(self) -> None:
        pass


@dataclass(eq=False)
class Worker:
    """One process: its loop and what it stands on."""

    loop: Loop
    source: InMemorySource
    sink: InMemorySink
    committer: DeferredExecutor
    stop: threading.Event
    active: bool = False


@dataclass
class Fleet:
    """Workers of one group on one topic.

    Attributes:
        written: What was produced, by partition: the value, and whether it is too old.
        zombies: Transactions of dead workers that may still arrive.
    """

    settings: LoopSettings
    clock: BusyClock = field(default_factory=BusyClock)
    moods: Moods = field(default_factory=Moods)
    workers: list[Worker] = field(default_factory=list)
    zombies: list[DeferredExecutor] = field(default_factory=list)
    written: dict[int, list[tuple[bytes, bool]]] = field(default_factory=lambda: {p: [] for p in range(PARTITIONS)})

    def __post_init__(self) -> None:
        self.broker = InMemoryBroker({"in": PARTITIONS, "out": 1, "dlq": 1, "shed": 1}, self.clock)

    # What can happen.

    def produce(self, value: bytes, partition: int, *, old: bool = False) -> None:
        headers: Headers = OLD if old else ()
        self.broker.append(Message("in", f"key-{partition}".encode(), value, headers), partition)
        self.written[partition].append((value, old))

    def join(self) -> Worker:
        worker = self.make()
        worker.loop.start(worker.stop)
        self.workers.append(worker)
        return worker

    def make(self) -> Worker:
        """A worker that has not joined."""
        source, sink = InMemorySource(self.broker, group=GROUP), InMemorySink(self.broker)
        committer = DeferredExecutor()
        loop = Loop(
            ScriptedStep(self.clock, self.moods),
            source,
            sink,
            topics=["in"],
            settings=self.settings,
            dead_letter_topic="dlq",
            shed_topic="shed",
            group=GROUP,
            committer=committer,
            metrics=Metrics(),
            clock=self.clock,
            logger=SILENT,
        )
        return Worker(loop, source, sink, committer, threading.Event())

    def turn(self, worker: Worker) -> None:
        """One turn, unless the worker is in the middle of one. An error of ours is the end of the process."""
        if worker.active or worker not in self.workers:
            return
        worker.active = True
        try:
            worker.loop.turn(0.1)
        except VssError:
            self._end(worker)
        finally:
            worker.active = False

    def leave(self, worker: Worker) -> None:
        """A stop in peace."""
        if worker.active:
            return
        worker.active = True
        worker.stop.set()
        with contextlib.suppress(VssError):  # the last transaction may fail, as any other
            worker.loop.finish()
        self._end(worker)

    def crash(self, worker: Worker) -> None:
        """A `kill -9`: nothing of it runs any more, but what it had sent may still arrive."""
        if worker.active:
            return
        worker.source.crash()
        self.workers.remove(worker)
        self.zombies.append(worker.committer)

    def _end(self, worker: Worker) -> None:
        with contextlib.suppress(VssError):
            worker.loop.close()
        self.workers.remove(worker)
        self.zombies.append(worker.committer)

    # What must be true.

    def check(self) -> None:
        """Every record before a commit has exactly one outcome, none behind it has any, and order is kept."""
        outcomes = self.outcomes()
        places = [place for _, place in outcomes]
        assert len(places) == len(set(places)), f"doubled: {sorted(p for p in places if places.count(p) > 1)}"
        committed = self.broker.committed(GROUP, [TopicPartition("in", p) for p in range(PARTITIONS)])
        expected = {
            (partition.partition, offset)
            for partition, commit in committed.items()
            for offset in range(commit.offset if commit is not None else 0)
        }
        assert set(places) == expected, f"lost: {expected - set(places)}, uncommitted: {set(places) - expected}"
        for kind in OutcomeKind:
            for partition in range(PARTITIONS):
                offsets = [offset for of, (p, offset) in outcomes if of is kind and p == partition]
                assert offsets == sorted(offsets), f"{kind} of partition {partition} out of order: {offsets}"

    def outcomes(self) -> list[tuple[OutcomeKind, tuple[int, int]]]:
        """Kind and place of every outcome, in the order of each topic."""
        found: list[tuple[OutcomeKind, tuple[int, int]]] = []
        for record in self.broker.records("out"):
            partition, _, offset = (record.value or b"").decode().partition(":")
            found.append((OutcomeKind.EVENT, (int(partition), int(offset))))
        found += [(OutcomeKind.DEAD_LETTER, _place(reason_of(record).source)) for record in self.broker.records("dlq")]
        for record in self.broker.records("shed"):
            found.append((OutcomeKind.SHED, _place(decode_event(ShedNote, record.value).source)))
        return found

    def settle(self) -> None:
        """Everything heals; then every record has the outcome that its value asks for."""
        self.clock.meanwhile.clear()
        self.moods.outage_until_s, self.moods.slow = 0.0, 0
        self.moods.raises_in_begin = self.moods.raises_in_results = None
        self.clock.advance(1000)
        for worker in self.workers:
            worker.sink.failures.clear()
            worker.committer.stuck = False
        for _ in range(100 + 4 * sum(len(values) for values in self.written.values())):
            if not self.workers:
                self.join()
            for worker in list(self.workers):
                self.turn(worker)
                worker.committer.run_next()
            if len(self.outcomes()) == sum(len(values) for values in self.written.values()):
                break
        for zombie in self.zombies:
            while zombie.run_next():
                pass
        for worker in list(self.workers):
            self.leave(worker)
        self.check()
        found = {place: kind for kind, place in self.outcomes()}
        expected = {
            (partition, offset): self._expected(value, old)
            for partition, values in self.written.items()
            for offset, (value, old) in enumerate(values)
        }
        assert found.keys() == expected.keys()
        wrong = {place: kind for place, kind in found.items() if kind not in expected[place]}
        assert not wrong, f"{wrong}, expected {expected}"

    def _expected(self, value: bytes, old: bool) -> set[OutcomeKind]:
        if old and self.settings.max_age_ms is not None:
            return {OutcomeKind.SHED}
        if value in (b"poison", b"hopeless"):
            return {OutcomeKind.DEAD_LETTER}
        # A step that raised may have done so at both tries of a record that is well.
        return {OutcomeKind.EVENT, OutcomeKind.DEAD_LETTER} if self.moods.have_raised else {OutcomeKind.EVENT}


def _place(source: SourceCoordinates) -> tuple[int, int]:
    return source.partition, source.offset
