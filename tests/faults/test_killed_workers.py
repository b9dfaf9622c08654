"""Whatever is killed, whenever: a `read_committed` reader finds exactly one outcome a frame."""

from __future__ import annotations

import os
import random
import signal
import time
from collections.abc import Callable
from pathlib import Path

import orjson
import pytest

from tests.faults.rig import Rig
from vss.local.fleet import LocalFleet
from vss.workers.checks.audit import audit

KILLS = 5
SERVED_AGAIN_WITHIN_S = 10.0
# With the classic protocol a rebalance waits for each dead member's session, so two kills in a row take two of them.
SERVED_AGAIN_CLASSIC_S = 20.0


def keep_killing(rig: Rig, rng: random.Random) -> list[float]:
    """Kills one of two workers, five times, and starts another in its place; returns how long frames then waited."""
    orphaned_s = []
    with rig.camera():
        for _ in range(2):
            rig.start_worker()
        rig.wait_joined()
        rig.wait_working()
        for _ in range(KILLS):
            time.sleep(rng.uniform(0.1, 1.5))  # the moment is the point
            rig.kill(rng.choice(rig.workers))
            orphaned_s.append(rig.wait_served_again())
            rig.start_worker()
            if rng.random() < 0.5:  # killed again while the newcomer joins, or when it has settled
                rig.wait_working()
    rig.wait_served(rig.ends(), patience_s=60)
    return orphaned_s


@pytest.mark.parametrize("protocol", ["consumer", pytest.param("classic", marks=pytest.mark.slow)])
def test_killed_workers_lose_and_double_no_frame(
    make_rig: Callable[..., Rig], rng: random.Random, protocol: str
) -> None:
    rig = make_rig(protocol=protocol)
    orphaned_s = keep_killing(rig, rng)
    events = rig.exactly_once()
    assert len(events) > 100
    limit_s = SERVED_AGAIN_CLASSIC_S if protocol == "classic" else SERVED_AGAIN_WITHIN_S
    assert max(orphaned_s) < limit_s, f"{orphaned_s}\n{rig.logs()}"
    # The fleet's own judge says the same.
    report = audit(rig.kafka, group=rig.group, wait_s=30)
    assert report.holds
    assert (report.records, report.events) == (len(events), len(events))


def test_killed_detectors_lose_and_double_no_frame(
    make_rig: Callable[..., Rig], rng: random.Random, tiny_detector: Path
) -> None:
    rig = make_rig(model=tiny_detector)
    orphaned_s = keep_killing(rig, rng)
    assert len(rig.exactly_once()) > 100
    assert max(orphaned_s) < SERVED_AGAIN_WITHIN_S, f"{orphaned_s}\n{rig.logs()}"
    assert audit(rig.kafka, group=rig.group, wait_s=30).holds


def test_a_killed_worker_with_a_real_model_loses_and_doubles_no_frame(
    make_rig: Callable[..., Rig], shared_data: Path
) -> None:
    rig = make_rig(model=shared_data / "models" / "yolox_nano.onnx", max_batch=4)
    rig.publish([rig.frame(seq, f"camera-{seq % 16}") for seq in range(60)])
    rig.start_worker()
    rig.wait_served({0: 1}, patience_s=60)  # in the middle of the work
    rig.kill(rig.workers[0])
    for _ in range(2):
        rig.start_worker()
    rig.wait_working()
    assert len(rig.exactly_once(60)) == 60


def test_a_worker_that_was_frozen_and_wakes_up_doubles_nothing(make_rig: Callable[..., Rig]) -> None:
    """It has lost its partitions without knowing, with work under way: what it commits now must be refused."""
    rig = make_rig(work_ms=100)
    with rig.camera():
        sleeper = rig.start_worker()
        rig.start_worker()
        rig.wait_joined()
        rig.wait_working()
        for _ in range(2):
            sleeper.send_signal(signal.SIGSTOP)
            # Until the other one has taken over.
            assert rig.wait_served_again() > 1.0
            os.kill(sleeper.pid, signal.SIGCONT)
            rig.wait_served_again()
    rig.wait_served(rig.ends(), patience_s=60)
    assert sleeper.poll() is None, "a worker that was away for a while goes on"
    rig.exactly_once()


def test_a_killed_broker_loses_and_doubles_no_frame(make_rig: Callable[..., Rig], own_fleet: LocalFleet) -> None:
    rig = make_rig(own_fleet.addresses.bootstrap_servers)
    with rig.camera():
        for _ in range(2):
            rig.start_worker()
        rig.wait_working()
        own_fleet.kill_broker()
        own_fleet.restart_broker()
        rig.wait_served_again()
    rig.wait_served(rig.ends(), patience_s=60)
    assert [worker.poll() for worker in rig.workers] == [None, None], f"workers live through it\n{rig.logs()}"
    assert len(rig.exactly_once()) > 100


def test_two_workers_finish_a_backlog_and_each_frame_once(make_rig: Callable[..., Rig]) -> None:
    rig = make_rig(work_ms=50)
    rig.publish([rig.frame(seq, f"camera-{seq % 16}") for seq in range(1500)])
    for _ in range(2):
        rig.start_worker()
    rig.wait_working()
    for worker in list(rig.workers):
        assert rig.stop(worker) == 0
    events = [orjson.loads(event.value or b"") for event in rig.exactly_once(1500)]
    assert len({event["pid"] for event in events}) == 2, "the second worker had no share"
    assert {event["echo"] for event in events} == {f"camera-{seq % 16}/{seq}" for seq in range(1500)}
