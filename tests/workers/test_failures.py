"""From what a step says to one outcome a record: by the error table, record by record."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

import pytest

from tests.workers.small_fleet import SILENT
from vss.errors import BrokenPromise, CacheUnavailable, Fenced, InferenceFailed, ModelError, UndecodableImage
from vss.metrics import Metrics
from vss.schemas.envelope import Message, Outcome, OutcomeKind, Record
from vss.streams.dead_letters import reason_of
from vss.workers.loop.failures import OutcomeMaker
from vss.workers.loop.step import Done, Pending, Result, Unfinished

EVENT = Outcome(OutcomeKind.EVENT, (Message("out", b"k", b"event"),))


def record(offset: int) -> Record:
    return Record("in", 0, offset, b"k", str(offset).encode(), (("h", b"1"),))


BATCH = [record(0), record(1), record(2)]


@dataclass
class Script:
    """A step that says, for each record, one thing after the other; an event when there is nothing left to say.

    Attributes:
        asked: The offsets of each batch it was given.
    """

    says: dict[int, list[Result]]
    asked: list[list[int]] = field(default_factory=list)
    name: str = "scripted"

    def begin(self, batch: Sequence[Record]) -> Pending:
        self.asked.append([record.offset for record in batch])
        says = [self.says[r.offset].pop(0) if self.says.get(r.offset) else EVENT for r in batch]
        return Done(says, lambda places: self.begin([batch[i] for i in places]))

    def close(self) -> None:
        pass


def never(places: Sequence[int]) -> Pending:
    raise AssertionError(f"{places} are tried once more")


class Bench:
    def __init__(
        self, says: dict[int, list[Result]] | None = None, wait: Callable[[float], None] | None = None
    ) -> None:
        self.step = Script(says or {})
        self.metrics = Metrics()
        self.waits: list[float] = []
        self.maker = OutcomeMaker(
            self.step,
            group="g",
            dead_letter_topic="dlq",
            wait=wait or self.waits.append,
            metrics=self.metrics,
            logger=SILENT,
        )

    def outcomes(self) -> list[Outcome]:
        return self.maker.outcomes(BATCH, self.step.begin(BATCH))

    def counted(self, error: str, action: str) -> float:
        labels = {"error": error, "action": action}
        return self.metrics.registry.get_sample_value("vss_errors_total", labels) or 0


def test_outcomes_come_in_the_order_of_the_batch() -> None:
    events: list[Outcome] = [Outcome(OutcomeKind.EVENT, (Message("out", b"k", str(i).encode()),)) for i in range(3)]
    assert Bench({i: [event] for i, event in enumerate(events)}).outcomes() == events


def test_a_bad_record_is_a_dead_letter_at_once_and_its_neighbours_live_on() -> None:
    bench = Bench({1: [UndecodableImage("cut off")]})
    first, letter, last = bench.outcomes()
    assert (first, last) == (EVENT, EVENT)
    assert letter.kind is OutcomeKind.DEAD_LETTER
    (message,) = letter.messages
    assert (message.topic, message.key, message.value, message.headers[0]) == ("dlq", b"k", b"1", ("h", b"1"))
    reason = reason_of(Record("dlq", 0, 0, message.key, message.value, message.headers))
    assert (reason.source.offset, reason.error, reason.stage, reason.group) == (1, "UndecodableImage", "scripted", "g")
    assert bench.step.asked == [[0, 1, 2]], "a bad record is not tried again"
    assert (
        bench.metrics.registry.get_sample_value(
            "vss_dead_letters_total", {"step": "scripted", "reason": "UndecodableImage"}
        )
        == 1
    )


@pytest.mark.parametrize("error", [InferenceFailed("this once"), ZeroDivisionError("a bug")])
def test_a_failure_that_may_pass_is_tried_once_more_alone(error: Exception) -> None:
    bench = Bench({1: [error]})
    assert bench.outcomes() == [EVENT] * 3
    assert bench.step.asked == [[0, 1, 2], [1]]
    assert bench.counted(type(error).__name__, "retry") == 1


@pytest.mark.parametrize("error", [InferenceFailed("for good"), ZeroDivisionError("a bug")])
def test_a_failure_that_does_not_pass_is_a_dead_letter_after_its_attempts(error: Exception) -> None:
    bench = Bench({1: [error, error, error]})
    assert [outcome.kind for outcome in bench.outcomes()] == ["event", "dead_letter", "event"]
    assert bench.step.asked == [[0, 1, 2], [1]]


def test_what_a_whole_batch_raises_is_decided_record_by_record() -> None:
    class Raises(Script):
        def begin(self, batch: Sequence[Record]) -> Pending:
            pending = super().begin(batch)
            if len(batch) > 1:
                raise MemoryError("a batch too large")
            return pending

    bench = Bench()
    step = Raises({2: [UndecodableImage("x")]})
    maker = OutcomeMaker(
        step, group="g", dead_letter_topic="dlq", wait=bench.waits.append, metrics=Metrics(), logger=SILENT
    )
    step.says[2] = [UndecodableImage("batch"), UndecodableImage("alone")]
    outcomes = maker.outcomes(
        BATCH, Done([MemoryError("x")] * 3, lambda places: step.begin([BATCH[i] for i in places]))
    )
    assert [outcome.kind for outcome in outcomes] == ["event", "event", "dead_letter"]
    assert step.asked == [[0], [1], [2]]


def test_an_outage_pauses_what_it_concerns_until_it_ends() -> None:
    away = CacheUnavailable("Redis is away")
    bench = Bench({0: [away] * 8, 2: [away] * 3})
    assert bench.outcomes() == [EVENT] * 3
    assert bench.step.asked == [[0, 1, 2], [0, 2], [0, 2], [0, 2], *[[0]] * 5]
    assert bench.waits == [0.1, 0.2, 0.5, 1.0, 2.0, 5.0, 5.0, 5.0], "waits grow up to a limit"


def test_after_an_outage_a_record_may_still_be_bad() -> None:
    bench = Bench({0: [CacheUnavailable("away"), UndecodableImage("x")]})
    assert [outcome.kind for outcome in bench.outcomes()] == ["dead_letter", "event", "event"]


def test_whoever_waits_may_give_the_batch_up() -> None:
    class Stopped(Exception):
        pass

    def wait(_seconds: float) -> None:
        raise Stopped

    with pytest.raises(Stopped):
        Bench({0: [CacheUnavailable("away")]}, wait).outcomes()


@pytest.mark.parametrize("error", [ModelError("gone"), Fenced("x"), BrokenPromise("x")])
def test_what_no_retry_can_mend_is_raised(error: Exception) -> None:
    bench = Bench({1: [error]})
    with pytest.raises(type(error)):
        bench.outcomes()
    assert bench.counted(type(error).__name__, "crash") == 1


@pytest.mark.parametrize(
    "values",
    [[EVENT], [EVENT] * 4, [EVENT, EVENT, None], [EVENT, EVENT, Outcome(OutcomeKind.EVENT)]],
    ids=["too few", "too many", "none at all", "one that writes nothing"],
)
def test_a_step_that_does_not_give_one_outcome_a_record_has_broken_its_promise(values: list[Result]) -> None:
    with pytest.raises(BrokenPromise, match="scripted"):
        Bench().maker.outcomes(BATCH, Done(values, never))


def test_a_view_writes_nothing_into_kafka() -> None:
    view = Outcome(OutcomeKind.VIEW)
    assert Bench().maker.outcomes(BATCH, Done([view] * 3, never)) == [view] * 3


def test_a_batch_that_is_not_finished_may_be_asked_again() -> None:
    class Slow:
        def results(self, timeout_s: float | None = None) -> list[Result]:
            if timeout_s is not None:
                raise Unfinished("not yet")
            return [EVENT] * 3

        def again(self, indices: Sequence[int]) -> Pending:
            return never(indices)

        def cancel(self) -> None:
            pass

    bench = Bench()
    with pytest.raises(Unfinished):
        bench.maker.outcomes(BATCH, Slow(), timeout_s=0.1)
    assert bench.counted("Unfinished", "retry") == 0
    assert bench.maker.outcomes(BATCH, Slow()) == [EVENT] * 3
