"""The committed detector flags the fault within seconds, on days that it never saw, and never before."""

from __future__ import annotations

from dataclasses import replace

import pytest

import vss.demo.pump.accuracy as accuracy
from vss.config import ModelSettings
from vss.demo import PUMP_MODEL
from vss.demo.pump import FEATURES, PERIOD_MS
from vss.demo.pump.accuracy import judge_day, measure_detector
from vss.demo.pump.pump import Fault
from vss.demo.pump.verdict import ENOUGH_S
from vss.demo.run import FAULT_AT, PUMP_SEED
from vss.model_store.resolve import resolve_model
from vss.model_store.runner.window_runner import WindowRunner

SEEDS = (900, 901, 902, 903, 904, 905)
DEMO_S = 30.0


@pytest.mark.parametrize("seed", SEEDS)
def test_the_fault_is_flagged_within_the_time_that_the_demo_gives_it_and_never_before(seed: int) -> None:
    day = judge_day(PUMP_MODEL, seed)
    assert day.false_alarms == 0
    assert day.normal_windows > 500
    assert day.flagged_after_s is not None
    assert day.flagged_after_s <= ENOUGH_S
    assert max(day.affected, key=lambda feature: day.affected[feature]) == "vibration"
    assert sum(day.affected.values()) == pytest.approx(1.0, abs=1e-3)
    # A whole defect is beyond every doubt.
    assert day.scores[-1] > 10 * day.threshold


def test_the_demos_own_pump_is_flagged_too() -> None:
    day = judge_day(PUMP_MODEL, PUMP_SEED, fault_at_s=FAULT_AT * DEMO_S)
    assert day.false_alarms == 0
    assert day.flagged_after_s is not None
    assert day.flagged_after_s <= ENOUGH_S


def test_a_pump_without_a_fault_is_not_flagged(monkeypatch: pytest.MonkeyPatch) -> None:
    never = Fault(0.0, first=0.0)
    monkeypatch.setattr(accuracy, "Fault", lambda start_s: replace(never, start_s=start_s))
    figures = measure_detector(PUMP_MODEL, SEEDS[:3])
    assert figures["flagged"] == figures["false_alarms"] == 0
    assert figures["flagged_after_s_median"] is None


def test_the_model_is_small_and_says_what_it_was_trained_with() -> None:
    assert PUMP_MODEL.stat().st_size < 1_000_000
    settings = ModelSettings(threads=1)
    runner = WindowRunner.load(resolve_model(str(PUMP_MODEL), settings), settings)
    try:
        assert runner.ref.manifest.task == "anomaly"
        assert runner.spec.features == FEATURES
        assert runner.spec.period_ms == PERIOD_MS
        assert runner.spec.window * PERIOD_MS / 1000 < FAULT_AT * 8  # full before the fault of a demo of 8 s
        assert runner.spec.trained is not None
    finally:
        runner.close()
