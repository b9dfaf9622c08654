"""Checks the fleet's first promise on the log itself: every record of an input topic has exactly one outcome.

The input up to a fixed end is joined by coordinates with everything that may be its outcome: events of the result
topics, shed notes and dead letters, all read as a `read_committed` consumer sees them.

A reading that was taken into its sensor's window has an outcome that writes nothing: it is taken where the group has
committed it and nothing else came of it; events are then held against the readings that their windows name.

One outcome *a consumer group*: two groups on one topic each owe one. Notes and dead letters name their group, events
name it in `ce_source` (`/groups/{group}`). An event that names none, as another producer's may, counts for every group.

Memory is a byte an offset of the audited span, whatever the records hold; of readings about 60 bytes more.
"""

from __future__ import annotations

import threading
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import groupby

from vss.clock import Clock, Deadline, SystemClock
from vss.codecs.events import decode_event
from vss.codecs.headers import parse_time
from vss.codecs.readings import ReadingLimits
from vss.config import KafkaSettings, Limits, WindowSettings
from vss.errors import BadRecord, MalformedEvent
from vss.logs import Logger, get_logger
from vss.schemas.envelope import OutcomeKind, Record, TopicPartition
from vss.schemas.events import THEN_SOURCE, FrameEvent, SourceCoordinates
from vss.schemas.telemetry import SensorEvent, WindowSpan
from vss.schemas.topics import CLASSIFICATIONS, DEAD_LETTERS, FRAMES, SHED, TELEMETRY, Topic, result_topics
from vss.streams.dead_letters import reason_of
from vss.streams.log_reader import LogReader, Span
from vss.workers.checks.audit_ledger import Ledger
from vss.workers.checks.audit_windows import REFUSED, WindowAudit, first_of

_GROUP_SOURCE = "/groups/"
_POLL_S = 0.25
# An audit is asked for when something is wrong: a broker that is slow to answer is waited for.
_PATIENCE_S = 20.0
# An outcome is younger than its record. Reading starts where outcomes are older than the oldest record by more than
# clocks can be apart; where records stay without outcome, the rest is read as well.
_CLOCKS_APART_MS = 3_600_000
_NEVER = threading.Event()


@dataclass(frozen=True, slots=True)
class AuditReport:
    """What an audit found.

    Attributes:
        topic: The audited input.
        group: Whose outcomes were counted.
        records: In the input, from what retention has left to the end at the audit's start.
        events: Outcomes that are events.
        shed: Outcomes that are shed notes.
        dead_letters: Outcomes that are dead letters.
        taken: Readings that went into their sensor's window and have no event of their own.
        waiting: Those of them that are in no event's window: they came after the sensor's last event, or left a window
            that was never full.
        wrong_windows: Events whose windows do not hold the readings that they say.
        missing: Records without an outcome.
        not_reached: Those of them that the group has yet to commit: they wait for a worker, and are not lost.
        doubled: Records with more than one.
        stray: Outcomes of offsets at which the input holds no record.
        unreadable: Records of the outcome topics that are no outcomes.
        first_missing: Coordinates of the first of them.
        first_doubled: Coordinates of the first of them.
        first_stray: Coordinates of the first of them.
        first_wrong_windows: Sources of the first of them.
        caught_up: Whether the group had committed every record; None when nobody waited for it.
        other_groups: Outcomes of other groups by group, left out.
        seconds: How long it took.
    """

    topic: str
    group: str
    records: int
    events: int
    shed: int
    dead_letters: int
    missing: int
    not_reached: int
    doubled: int
    stray: int
    unreadable: int
    first_missing: tuple[SourceCoordinates, ...]
    first_doubled: tuple[SourceCoordinates, ...]
    first_stray: tuple[SourceCoordinates, ...]
    caught_up: bool | None
    other_groups: Mapping[str, int]
    seconds: float
    taken: int = 0
    waiting: int = 0
    wrong_windows: int = 0
    first_wrong_windows: tuple[SourceCoordinates, ...] = ()

    @property
    def holds(self) -> bool:
        """Whether every record has exactly one outcome and no outcome lacks its record."""
        return self.missing == self.doubled == self.stray == self.wrong_windows == 0

    @property
    def waits(self) -> bool:
        """Whether nothing is wrong but that the group has not come to the input's end yet."""
        return 0 < self.missing == self.not_reached and self.doubled == self.stray == self.wrong_windows == 0


@dataclass(frozen=True, slots=True)
class _Sourced:
    """What every event and note says about its record."""

    source: SourceCoordinates
    group: str | None = None
    window: WindowSpan | None = None


@dataclass(frozen=True, slots=True)
class _Said:
    """What an outcome says.

    Attributes:
        source: The record that it belongs to.
        group: That made it; None where it does not say.
        window: What an event about a sensor was made of.
        refused: Whether its record, if it is a reading, is in no window.
    """

    source: SourceCoordinates
    group: str | None
    window: WindowSpan | None = None
    refused: bool = False


@dataclass(slots=True)
class _Tally:
    kinds: Counter[OutcomeKind] = field(default_factory=Counter)
    other_groups: Counter[str] = field(default_factory=Counter)
    unreadable: int = 0


class Audit:
    """One audit of one input topic for one group.

    Args:
        settings: The cluster and the prefix.
        group: Whose outcomes count.
        topic: The input.
        limits: What a reading may be.
        windows: How windows were kept.
        clock: For waits.
        logger: For what the Kafka client says.
        list_first: How many coordinates of each kind are listed.
    """

    def __init__(
        self,
        settings: KafkaSettings,
        *,
        group: str,
        topic: Topic = FRAMES,
        limits: Limits | None = None,
        windows: WindowSettings | None = None,
        clock: Clock | None = None,
        logger: Logger | None = None,
        list_first: int = 5,
    ) -> None:
        self._settings = settings
        self._group = group
        self._input = topic.name(settings.topic_prefix)
        self._clock = clock if clock is not None else SystemClock()
        self._logger = logger if logger is not None else get_logger("audit")
        self._list_first = list_first
        prefix = settings.topic_prefix
        self._objects = CLASSIFICATIONS.name(prefix)
        self._limits = ReadingLimits.of(limits or Limits()) if topic == TELEMETRY else None
        self._block = (windows or WindowSettings()).max_rewind // 2
        self._windows: WindowAudit | None = None
        # Events about a frame or a window; others, such as aggregates, are no outcome of one record.
        self._kinds = {t.name(prefix): OutcomeKind.EVENT for t in result_topics() if _is_outcome(t)}
        self._kinds |= {SHED.name(prefix): OutcomeKind.SHED, DEAD_LETTERS.name(prefix): OutcomeKind.DEAD_LETTER}

    def run(self, wait_s: float = 0.0) -> AuditReport:
        """Reads everything and reports.

        Args:
            wait_s: How long to wait for the group to commit what the input held at the start. Without, a record that a
                worker has under way is missing.

        Raises:
            BrokerUnavailable: No broker answers.
            ConfigError: A topic does not exist, or this user may not read it.
        """
        started_s = self._clock.monotonic()
        tally = _Tally()
        log = LogReader(self._settings, logger=self._logger, clock=self._clock, patience_s=_PATIENCE_S)
        with log as reader:
            ledger, oldest_ms = self._read_input(reader)
            caught_up = self._wait(reader, ledger, wait_s) if wait_s > 0 else None
            # Asked before the outcomes are read: what the group had committed by now must have one there.
            reached = reader.committed(self._group, list(ledger.positions()))
            patience = Deadline.after(self._settings.transaction_timeout_ms / 1000 + 2, self._clock)
            spans = reader.decided_spans(list(self._kinds), patience)
            starts = self._starts(reader, spans, oldest_ms)
            ends = {p: span.end for p, span in spans.items()}
            self._count(reader.read(starts, ends), ledger, tally)
            if ledger.missing():
                lows = {p: span.low for p, span in spans.items()}
                self._count(reader.read(lows, starts), ledger, tally)
        found = self._windows.counts() if self._windows is not None else {}
        ends = {partition: reached.get(partition) or 0 for partition in found}
        seen = sum(ledger.take(p, count.seen.tolist(), ends[p]) for p, count in found.items())
        waiting = sum(ledger.take(p, count.unseen.tolist(), ends[p]) for p, count in found.items())
        first = self._list_first
        return AuditReport(
            topic=self._input,
            group=self._group,
            records=ledger.records(),
            events=tally.kinds[OutcomeKind.EVENT],
            shed=tally.kinds[OutcomeKind.SHED],
            dead_letters=tally.kinds[OutcomeKind.DEAD_LETTER],
            missing=ledger.missing(),
            not_reached=ledger.missing_from(reached),
            doubled=ledger.doubled(),
            stray=ledger.stray(),
            unreadable=tally.unreadable,
            first_missing=_coordinates(ledger.first_missing(first)),
            first_doubled=_coordinates(ledger.first_doubled(first)),
            first_stray=_coordinates(ledger.first_stray(first)),
            caught_up=caught_up,
            other_groups=dict(tally.other_groups),
            seconds=self._clock.monotonic() - started_s,
            taken=seen + waiting,
            waiting=waiting,
            wrong_windows=sum(len(count.wrong) for count in found.values()),
            first_wrong_windows=_coordinates(first_of(found, first)),
        )

    def _read_input(self, reader: LogReader) -> tuple[Ledger, int]:
        spans = reader.spans([self._input])
        ledger = Ledger({p: (span.low, span.end) for p, span in spans.items()})
        if self._limits is not None:
            self._windows = WindowAudit({p: span.low for p, span in spans.items()}, self._limits, self._block)
        oldest_ms = self._clock.now_ns() // 1_000_000
        for records in reader.read({p: s.low for p, s in spans.items()}, {p: s.end for p, s in spans.items()}):
            for record in records:
                ledger.record(record.topic_partition, record.offset)
                oldest_ms = min(oldest_ms, record.timestamp_ms)
            if self._windows is not None:
                for partition, some in groupby(records, key=lambda record: record.topic_partition):
                    if (readings := self._windows.of(partition)) is not None:
                        readings.record(list(some))
        # What retention took away while we read owes nothing any more.
        for partition, span in reader.spans([self._input]).items():
            ledger.forget_before(partition, span.low)
        return ledger, oldest_ms

    def _wait(self, reader: LogReader, ledger: Ledger, wait_s: float) -> bool:
        # Not the end: where the input ends with a transaction's marker, no group ever commits it.
        wanted = ledger.positions()
        deadline = Deadline.after(wait_s, self._clock)
        while True:
            committed = reader.committed(self._group, list(wanted))
            if all((committed.get(p) or 0) >= position for p, position in wanted.items()):
                return True
            if deadline.passed():
                return False
            self._clock.wait(_NEVER, min(_POLL_S, deadline.remaining_s()))

    def _starts(
        self, reader: LogReader, spans: Mapping[TopicPartition, Span], oldest_ms: int
    ) -> dict[TopicPartition, int]:
        found = reader.offsets_at(spans, oldest_ms - _CLOCKS_APART_MS)
        return {p: offset if (offset := found.get(p)) is not None else span.end for p, span in spans.items()}

    def _count(self, batches: Iterator[list[Record]], ledger: Ledger, tally: _Tally) -> None:
        for records in batches:
            for record in records:
                kind = self._kinds[record.topic]
                try:
                    said = _said(record, kind)
                except BadRecord:
                    tally.unreadable += 1
                    continue
                source, group = said.source, said.group
                if source.topic != self._input or self._follows_an_outcome(record):
                    continue
                if group is not None and group != self._group:
                    tally.other_groups[group] += 1
                elif ledger.outcome(TopicPartition(source.topic, source.partition), source.offset):
                    tally.kinds[kind] += 1
                    self._hold_against_readings(record, said)

    def _hold_against_readings(self, record: Record, said: _Said) -> None:
        if self._windows is None:
            return
        readings = self._windows.of(TopicPartition(said.source.topic, said.source.partition))
        if readings is None:
            return
        if said.window is not None:
            readings.event(record.key or b"", said.source.offset, said.window)
        elif said.refused:
            readings.leave_out(said.source.offset)

    def _follows_an_outcome(self, record: Record) -> bool:
        """Whether it was written along with its frame's outcome: what a second model says about an object in it."""
        made_by = (dict(record.headers).get("ce_source") or b"").decode("utf-8", "replace")
        return record.topic == self._objects and made_by.startswith(_GROUP_SOURCE) and made_by.endswith(THEN_SOURCE)


def audit(
    settings: KafkaSettings,
    *,
    group: str,
    topic: Topic = FRAMES,
    limits: Limits | None = None,
    windows: WindowSettings | None = None,
    wait_s: float = 0.0,
    clock: Clock | None = None,
    list_first: int = 5,
) -> AuditReport:
    """Audits one input topic for one group; see `Audit`."""
    made = Audit(settings, group=group, topic=topic, limits=limits, windows=windows, clock=clock, list_first=list_first)
    return made.run(wait_s)


def _is_outcome(topic: Topic) -> bool:
    return topic.payload is not None and issubclass(topic.payload, FrameEvent | SensorEvent)


def _said(record: Record, kind: OutcomeKind) -> _Said:
    """What an outcome says of its record.

    Raises:
        BadRecord: It is no outcome.
    """
    if kind is OutcomeKind.DEAD_LETTER:
        reason = reason_of(record)
        return _Said(reason.source, reason.group, refused=reason.error in REFUSED)
    sourced = decode_event(_Sourced, record.value)
    if sourced.group is not None:
        return _Said(sourced.source, sourced.group, refused=True)
    ce_source = (dict(record.headers).get("ce_source") or b"").decode("utf-8", "replace")
    named = ce_source.removeprefix(_GROUP_SOURCE) if ce_source.startswith(_GROUP_SOURCE) else None
    try:
        if sourced.window is not None:
            parse_time(sourced.window.start)
    except ValueError as error:
        raise MalformedEvent(f"window.start: {error}") from error
    return _Said(sourced.source, named, sourced.window)


def _coordinates(found: Sequence[tuple[TopicPartition, int]]) -> tuple[SourceCoordinates, ...]:
    return tuple(SourceCoordinates(p.topic, p.partition, offset) for p, offset in found)
