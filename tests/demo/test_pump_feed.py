"""The pump's readings come out of its pipe as its sensor's would."""

from __future__ import annotations

import json
import threading
import time
from itertools import pairwise
from pathlib import Path

import pytest

from vss.clock import SystemClock
from vss.demo.pump import FEATURES
from vss.demo.pump.feed import PumpFeed
from vss.demo.pump.pump import Fault, Pump


def test_readings_are_a_period_apart_and_those_of_the_seed(tmp_path: Path) -> None:
    with PumpFeed(tmp_path / "pipe", seed=5, clock=SystemClock()) as feed, (tmp_path / "pipe").open() as pipe:
        readings = [json.loads(pipe.readline()) for _ in range(5)]
        feed.stop()
    assert [later["ts"] - earlier["ts"] for earlier, later in pairwise(readings)] == [100] * 4
    pump = Pump(5)
    for reading in readings:
        assert {feature: reading[feature] for feature in FEATURES} == pump.step().values
    assert not (tmp_path / "pipe").exists()


def test_a_fault_starts_when_it_was_asked_for(tmp_path: Path) -> None:
    with PumpFeed(tmp_path / "pipe", seed=5, clock=SystemClock()) as feed, (tmp_path / "pipe").open() as pipe:
        first = json.loads(pipe.readline())
        assert feed.fault_ms is None
        feed.break_in(0.35)
        readings = [first, *(json.loads(pipe.readline()) for _ in range(9))]
        fault_ms = feed.fault_ms
    assert fault_ms is not None
    pump, fault = Pump(5), Fault((fault_ms - first["ts"]) / 1000)
    expected = [pump.step(fault.severity((reading["ts"] - first["ts"]) / 1000)).values for reading in readings]
    assert [reading["vibration"] for reading in readings] == [values["vibration"] for values in expected]
    well = Pump(5)
    assert expected[-1] != [well.step().values for _ in readings][-1]


def test_a_pump_whose_sensor_is_gone_stops(tmp_path: Path) -> None:
    before = threading.active_count()
    with PumpFeed(tmp_path / "pipe", seed=5, clock=SystemClock()):
        with (tmp_path / "pipe").open() as pipe:
            pipe.readline()
        deadline_s = time.monotonic() + 5.0
        while threading.active_count() > before and time.monotonic() < deadline_s:
            time.sleep(0.02)
        assert threading.active_count() == before


@pytest.mark.parametrize("wait_s", [0.0, 0.1])
def test_a_pump_that_nobody_reads_can_be_stopped(tmp_path: Path, wait_s: float) -> None:
    feed = PumpFeed(tmp_path / "pipe", seed=5, clock=SystemClock())
    with feed:
        time.sleep(wait_s)
        feed.stop()
    assert not feed._thread.is_alive()
