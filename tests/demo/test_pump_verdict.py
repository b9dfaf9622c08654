"""What was flagged is held against the truth, and drawn."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest
from numpy.typing import NDArray

from tests.demo.test_summary import REPORT
from vss.codecs.headers import format_time
from vss.demo.pump import FEATURES
from vss.demo.pump.chart import draw, write_chart
from vss.demo.pump.verdict import PumpLog, PumpResult, judge
from vss.schemas.events import SourceCoordinates
from vss.schemas.telemetry import AffectedFeature, AnomalyEvent, WindowSpan

START_MS = 1_772_323_200_000
BEGAN_MS = START_MS + 2_000
FAULT_MS = BEGAN_MS + 5_000
READINGS = 120
AUDIT = replace(REPORT, records=READINGS, events=17, taken=103)


def test_a_fault_that_was_flagged_is_told_with_its_delays_and_features() -> None:
    result = _judged(_log({9_000: 0.9, 9_500: 1.2}))
    assert result.fault_s == 5.0
    assert result.flagged_after_s == pytest.approx(2.5)
    assert result.seen_after_s == pytest.approx(2.8)
    assert result.affected == (("vibration", 0.7), ("flow", 0.3))
    assert result.severity == "low"
    assert (result.false_alarms, result.judged, result.problems()) == (0, True, [])


def test_the_window_that_ends_at_the_faults_first_reading_is_no_false_alarm_and_the_one_before_is() -> None:
    assert _judged(_log({7_000: 2.0})).false_alarms == 0
    early = _judged(_log({6_500: 2.0, 9_000: 2.0}))
    assert early.false_alarms == 1
    assert early.flagged_after_s == pytest.approx(2.0)
    assert early.problems() == ["1 windows of the pump were flagged before its bearing's fault started"]


def test_a_fault_that_nobody_flagged_is_a_problem_once_it_had_time_to_show() -> None:
    assert _judged(_log({})).problems() == ["the bearing's fault at 5.0 s was not flagged"]
    short = _judged(_log({}, readings=80))  # it ends a second after the fault's start
    assert not short.judged
    assert short.fault_s == 5.0
    assert short.problems() == []
    shorter = _judged(_log({}, readings=60))
    assert shorter.fault_s is None
    assert shorter.problems() == []


def test_a_pump_that_was_never_asked_to_break_is_not_judged() -> None:
    result = judge(_log({9_000: 2.0}), AUDIT, began_ms=BEGAN_MS, fault_ms=None)
    assert (result.fault_s, result.flagged_after_s, result.judged) == (None, None, False)
    assert result.false_alarms == 1


def test_readings_without_an_outcome_are_a_problem() -> None:
    broken = judge(_log({9_500: 2.0}), replace(AUDIT, missing=1), began_ms=BEGAN_MS, fault_ms=FAULT_MS)
    assert broken.problems() == ["readings of the pump have no outcome, or more than one"]
    silent = judge(_log({}, readings=0), replace(AUDIT, records=0), began_ms=BEGAN_MS, fault_ms=FAULT_MS)
    assert silent.problems() == ["the pump's sensor published no reading"]


def test_the_picture_shows_when_the_fault_started_and_when_it_was_flagged(tmp_path: Path) -> None:
    log = _log({9_500: 4.0})
    result = _judged(log)
    file = write_chart(log, result, tmp_path / "pump.png", began_ms=BEGAN_MS)
    assert file is not None
    picture = cv2.imread(str(file))
    assert picture is not None
    assert picture.shape[1] == 1280
    # A red line at the fault and a yellow one 2.5 s later, from the first strip to the last.
    red, yellow = (_columns_of(picture, colour) for colour in ((80, 80, 240), (60, 200, 250)))
    assert len(red) == len(yellow) == 1
    seconds_a_pixel = (READINGS - 1) / 10 / (1280 - 200 - 24)
    assert (yellow[0] - red[0]) * seconds_a_pixel == pytest.approx(2.5, abs=0.05)
    calm = draw(log, replace(result, fault_s=None), began_ms=BEGAN_MS)
    assert not len(_columns_of(calm, (80, 80, 240)))


def test_there_is_no_picture_of_nothing(tmp_path: Path) -> None:
    log = _log({}, readings=1)
    assert write_chart(log, _judged(log), tmp_path / "pump.png", began_ms=BEGAN_MS) is None


def test_a_value_that_is_missing_is_a_gap_in_the_picture() -> None:
    log = _log({})
    values = log.values.copy()
    values[40:60, 0] = np.nan
    values[:, 1] = np.nan
    picture = draw(replace(log, values=values), _judged(log), began_ms=BEGAN_MS)
    x = 200 + round(50 / (READINGS - 1) * (1280 - 200 - 24))
    curve = np.all(picture[60:155, x - 20 : x + 20] == (235, 190, 90), axis=2)
    assert not curve.any()


def _judged(log: PumpLog) -> PumpResult:
    return judge(log, AUDIT, began_ms=BEGAN_MS, fault_ms=FAULT_MS)


def _log(scores: dict[int, float], *, readings: int = READINGS) -> PumpLog:
    """A window each half second from the fourth second on; those named by their end's milliseconds have a score."""
    ts_ms = START_MS + 100 * np.arange(readings)
    rng = np.random.default_rng(0)
    values = rng.normal(1.0, 0.1, (readings, len(FEATURES))).astype(np.float32)
    ends = list(range(4_000, readings * 100, 500))
    events = tuple(_event(START_MS + end, scores.get(end, 0.2)) for end in ends)
    return PumpLog(ts_ms, values, events, np.array([START_MS + end for end in ends], np.int64))


def _event(end_ms: int, score: float) -> AnomalyEvent:
    bad = score > 1.0
    end = format_time(end_ms * 1_000_000)
    return AnomalyEvent(
        id=str(end_ms),
        sensor_id="pump",
        captured_at=end,
        window=WindowSpan(readings=40, first_offset=0, start=format_time((end_ms - 3_900) * 1_000_000), end=end),
        model_name="pump",
        model_version="1",
        inference_time=0.001,
        processing_time=0.002,
        timestamp=format_time((end_ms + 300) * 1_000_000),
        source=SourceCoordinates("vss.telemetry", 0, (end_ms - START_MS) // 100),
        is_anomaly=bad,
        anomaly_score=score,
        threshold=1.0,
        confidence=0.5,
        affected_features=(AffectedFeature(feature="vibration", share=0.7), AffectedFeature(feature="flow", share=0.3))
        if bad
        else (),
        severity="low" if bad else "none",
    )


def _columns_of(picture: NDArray[Any], colour: tuple[int, int, int]) -> list[int]:
    """Columns in which most of the picture's height has a colour."""
    share = np.all(picture == colour, axis=2).mean(axis=0)
    return [int(x) for x in np.flatnonzero(share > 0.6)]
