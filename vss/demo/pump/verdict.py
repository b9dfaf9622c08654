"""What became of the pump's fault: read from the topics once all is done, and held against the truth."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray

from vss.clock import Clock
from vss.codecs.events import decode_event
from vss.codecs.headers import parse_time
from vss.codecs.readings import ReadingLimits, decode_readings
from vss.config import Settings
from vss.demo.pump import FEATURES, PERIOD_MS
from vss.demo.pump.watch import PUMP
from vss.errors import BadRecord
from vss.logs import Logger
from vss.schemas.telemetry import AnomalyEvent
from vss.schemas.topics import ANOMALIES, TELEMETRY
from vss.streams.log_reader import LogReader
from vss.workers.checks.audit import AuditReport

ENOUGH_S: Final = 2.5
"""A fault that has grown for this long has to have been flagged."""


@dataclass(frozen=True, slots=True, eq=False)
class PumpLog:
    """What the topics hold of the pump.

    Attributes:
        ts_ms: (n,) times of its readings, ascending.
        values: (n, F) in the order of `FEATURES`; NaN where there is none.
        events: In the order of their windows.
        ends_ms: (m,) times of the newest reading of each event's window.
    """

    ts_ms: NDArray[np.int64]
    values: NDArray[np.float32]
    events: tuple[AnomalyEvent, ...]
    ends_ms: NDArray[np.int64]


@dataclass(frozen=True, slots=True, kw_only=True)
class PumpResult:
    """What became of it.

    Attributes:
        readings: In Kafka.
        events: Windows that were looked at.
        taken: Readings that went into their window and have no event of their own.
        left_out: Readings with a note or a dead letter.
        kept: Whether there were readings, and each has exactly one outcome.
        fault_s: When the bearing's fault started, seconds of the demo; None when the demo ended before.
        flagged_after_s: From there until the newest reading of the first window that was flagged; None when none was.
        seen_after_s: From there until that window's event was made: readings waited for each other, model and commit.
        severity: The worst from then on.
        affected: Each feature's share of the flagged window's score, the largest first.
        false_alarms: Windows that were flagged before the fault.
        normal_windows: Windows before the fault.
        judged: Whether the pump ran long enough for the fault to show.
    """

    readings: int
    events: int
    taken: int
    left_out: int
    kept: bool
    fault_s: float | None
    flagged_after_s: float | None
    seen_after_s: float | None
    severity: str
    affected: tuple[tuple[str, float], ...]
    false_alarms: int
    normal_windows: int
    judged: bool

    def problems(self) -> list[str]:
        """What should not have happened, in sentences."""
        found = []
        if not self.readings:
            found.append("the pump's sensor published no reading")
        elif not self.kept:
            found.append("readings of the pump have no outcome, or more than one")
        if self.false_alarms:
            found.append(f"{self.false_alarms} windows of the pump were flagged before its bearing's fault started")
        if self.judged and self.flagged_after_s is None:
            found.append(f"the bearing's fault at {self.fault_s:.1f} s was not flagged")
        return found

    def document(self) -> dict[str, object]:
        """For JSON."""
        return {
            "readings": self.readings,
            "anomaly_events": self.events,
            "taken": self.taken,
            "left_out": self.left_out,
            "every_reading_has_one_outcome": self.kept,
            "fault_at_s": _rounded(self.fault_s),
            "flagged_after_s": _rounded(self.flagged_after_s),
            "seen_after_s": _rounded(self.seen_after_s),
            "severity": self.severity,
            "affected": {feature: round(share, 3) for feature, share in self.affected},
            "false_alarms": self.false_alarms,
            "normal_windows": self.normal_windows,
            "judged": self.judged,
        }


def read_log(settings: Settings, *, clock: Clock, logger: Logger) -> PumpLog:
    """Reads the pump's readings and what was made of them, as any consumer can.

    Raises:
        BrokerUnavailable: No broker answers.
    """
    prefix = settings.kafka.topic_prefix
    with LogReader(settings.kafka, logger=logger, clock=clock) as reader:
        records = {}
        for topic in (TELEMETRY, ANOMALIES):
            spans = reader.spans([topic.name(prefix)])
            starts = {partition: span.low for partition, span in spans.items()}
            ends = {partition: span.end for partition, span in spans.items()}
            found = (record for some in reader.read(starts, ends) for record in some)
            records[topic] = [record for record in found if record.key == PUMP.encode()]
    of_pump = records[TELEMETRY]
    readings = decode_readings(
        [record.value for record in of_pump],
        [record.key for record in of_pump],
        [record.timestamp_ms for record in of_pump],
        ReadingLimits.of(settings.limits),
    )
    good = list(readings.good)
    ts_ms, values = readings.ts_ms[good], readings.columns(FEATURES)[good]
    order = np.argsort(ts_ms, kind="stable")
    events = []
    for record in records[ANOMALIES]:
        try:
            events.append(decode_event(AnomalyEvent, record.value))
        except BadRecord:
            continue
    events.sort(key=lambda event: parse_time(event.window.end))
    ends_ms = np.array([parse_time(event.window.end) // 1_000_000 for event in events], np.int64)
    return PumpLog(ts_ms[order], values[order], tuple(events), ends_ms)


def judge(log: PumpLog, report: AuditReport, *, began_ms: int, fault_ms: int | None) -> PumpResult:
    """Holds what was flagged against the truth.

    Args:
        log: What the topics hold.
        report: Of the audit of the readings.
        began_ms: When the demo's time began.
        fault_ms: When the fault started or would have started; None when it was never asked for.
    """
    ends_at_ms = int(log.ts_ms[-1]) + PERIOD_MS if len(log.ts_ms) else began_ms
    started = fault_ms is not None and fault_ms < ends_at_ms
    after = [started and int(end_ms) >= fault_ms for end_ms in log.ends_ms]  # type: ignore[operator]  # not None then
    flagged = _first(log.events, after)
    return PumpResult(
        readings=report.records,
        events=report.events,
        taken=report.taken,
        left_out=report.shed + report.dead_letters,
        kept=report.holds and report.records > 0,
        fault_s=(fault_ms - began_ms) / 1000 if started and fault_ms is not None else None,
        flagged_after_s=_since(fault_ms, flagged.window.end) if flagged is not None else None,
        seen_after_s=_since(fault_ms, flagged.timestamp) if flagged is not None else None,
        severity=_worst(log.events, after),
        affected=tuple((one.feature, one.share) for one in flagged.affected_features) if flagged is not None else (),
        false_alarms=sum(event.is_anomaly for event, is_after in zip(log.events, after, strict=True) if not is_after),
        normal_windows=after.count(False),
        judged=fault_ms is not None and ends_at_ms - fault_ms >= ENOUGH_S * 1000,
    )


def _first(events: Sequence[AnomalyEvent], after: Sequence[bool]) -> AnomalyEvent | None:
    return next((event for event, is_after in zip(events, after, strict=True) if is_after and event.is_anomaly), None)


def _worst(events: Sequence[AnomalyEvent], after: Sequence[bool]) -> str:
    order = ("none", "low", "medium", "high", "critical")
    return max(
        (event.severity for event, is_after in zip(events, after, strict=True) if is_after),
        key=order.index,
        default="none",
    )


def _since(start_ms: int | None, moment: str) -> float | None:
    return parse_time(moment) / 1e9 - start_ms / 1000 if start_ms is not None else None


def _rounded(value: float | None) -> float | None:
    return round(value, 2) if value is not None else None
