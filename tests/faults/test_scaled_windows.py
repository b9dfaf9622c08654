"""A fleet that grows, shrinks and is killed makes the same windows of the same readings as one worker left in peace."""

from __future__ import annotations

import random
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from tests.faults.sensor_rig import RULES, SensorRig, Written
from tests.streams.windows.reference import see_all
from tests.telemetry.hash_scorer import score_of
from vss.local.fleet import LocalFleet

RATE = 250.0


@pytest.fixture
def make_sensor_rig(bootstrap_servers: str, tmp_path: Path) -> Iterator[Callable[..., SensorRig]]:
    """Makes rigs on the session's broker; their processes end with the test."""
    with ExitStack() as rigs:

        def make(servers: str = bootstrap_servers, **options: Any) -> SensorRig:
            rig = SensorRig(servers, tmp_path, **options)
            rigs.callback(rig.close)
            return rig

        yield make


def undisturbed(rig: SensorRig, alone: SensorRig) -> Written:
    """What a group wrote that was disturbed, once it is the same as what one worker writes that is not."""
    alone.start_worker()
    alone.wait_served(alone.ends(), patience_s=60)
    found, expected = rig.written(), alone.written()
    for mine, theirs in (
        (found.events, expected.events),
        (found.notes, expected.notes),
        (found.letters, expected.letters),
    ):
        assert len(mine) == len(set(mine)), f"doubled\n{rig.logs()}"
        assert len(theirs) == len(set(theirs))
        assert set(mine) == set(theirs), f"{sorted(set(mine) ^ set(theirs))[:5]}\n{rig.logs()}"
    return found


def test_a_run_from_one_worker_to_three_and_back_with_two_killed_equals_that_of_one_worker(
    make_sensor_rig: Callable[..., SensorRig], rng: random.Random
) -> None:
    rig = make_sensor_rig()
    with rig.sensors(rng, rate=RATE):
        rig.start_worker()
        rig.wait_joined()
        rig.wait_working()
        for _ in range(2):
            rig.start_worker()
        rig.wait_joined()
        for _ in range(2):
            time.sleep(rng.uniform(0.2, 1.5))  # the moment is the point
            rig.kill(rng.choice(rig.workers))
            if rng.random() < 0.5:  # killed again while its partitions wait for their next owner, or later
                rig.wait_served_again()
        rig.wait_served_again()
    rig.wait_served(rig.ends(), patience_s=60)
    assert len(rig.workers) == 1
    found = undisturbed(rig, make_sensor_rig(reads=rig.frames, max_batch=500))
    logs, junk = rig.readings()
    readings = sum(map(len, logs.values()))
    assert readings > 2000
    assert len(found.events) > readings / 10

    # And both are what the plain rule says: one outcome a reading, each window's content by its score.
    events, notes = set(), set()
    for (partition, key), log in logs.items():
        for reading, seen in zip(log, see_all(log, RULES), strict=True):
            if seen.status == "due":
                window = np.array([held.values for held in seen.window], np.float32)
                first = min(held.offset for held in seen.window)
                missing = int(np.isnan(window).sum())
                events.add((partition, reading.offset, key, first, len(window), missing, score_of(window)))
            elif seen.status != "taken":
                notes.add((partition, reading.offset, seen.status))
    assert set(found.events) == events
    assert set(found.notes) == notes
    assert {(partition, offset) for partition, offset, _ in found.letters} == junk


@pytest.mark.slow
@pytest.mark.timeout(400)
def test_a_broker_that_is_killed_again_and_again_changes_no_window(
    make_sensor_rig: Callable[..., SensorRig], own_fleet: LocalFleet, rng: random.Random
) -> None:
    servers = own_fleet.addresses.bootstrap_servers
    rig = make_sensor_rig(servers)
    with rig.sensors(rng, rate=RATE):
        for _ in range(2):
            rig.start_worker()
        rig.wait_joined()
        rig.wait_working()
        for _ in range(4):
            time.sleep(rng.uniform(0.2, 1.5))
            own_fleet.kill_broker()
            own_fleet.restart_broker()
            if rng.random() < 0.3:
                rig.kill(rng.choice(rig.workers))
                rig.start_worker()
            rig.wait_served_again()
    rig.wait_served(rig.ends(), patience_s=60)
    assert [worker.poll() for worker in rig.workers] == [None, None], f"workers live through it\n{rig.logs()}"
    assert len(undisturbed(rig, make_sensor_rig(servers, reads=rig.frames, max_batch=500)).events) > 100
