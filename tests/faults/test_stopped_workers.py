"""SIGTERM ends a worker within five seconds, whatever it is doing, with nothing half-committed."""

from __future__ import annotations

import signal
import time
from collections.abc import Callable

import pytest

from tests.faults.rig import Rig
from vss.local.fleet import LocalFleet

STOPPED_WITHIN_S = 5.0


def seconds_to_stop(rig: Rig) -> tuple[float, int]:
    started_s = time.monotonic()
    code = rig.stop(rig.workers[0])
    return time.monotonic() - started_s, code


@pytest.mark.parametrize("work_ms", [20.0, 700.0, 60_000.0], ids=["quick", "slow", "never done"])
def test_a_worker_at_work_stops_in_time_with_nothing_half_committed(
    make_rig: Callable[..., Rig], work_ms: float
) -> None:
    rig = make_rig(work_ms=20.0)
    rig.start_worker()
    with rig.camera():
        rig.wait_joined()
        rig.wait_working()
    if work_ms != rig.work_ms:
        assert rig.stop(rig.workers[0]) == 0
        rig.work_ms = work_ms
        rig.start_worker()
    with rig.camera():
        rig.wait_joined()
        took_s, code = seconds_to_stop(rig)
    assert code == 0, rig.logs()
    assert took_s < STOPPED_WITHIN_S
    # What it left behind is whole: the next one goes on, and every frame has one outcome.
    rig.work_ms = 20.0
    rig.start_worker()
    rig.wait_working()
    rig.exactly_once()


def test_a_worker_stops_in_time_while_the_broker_is_away(make_rig: Callable[..., Rig], own_fleet: LocalFleet) -> None:
    rig = make_rig(own_fleet.addresses.bootstrap_servers)
    rig.publish([rig.frame(seq, f"camera-{seq}") for seq in range(2000)])
    rig.start_worker()
    rig.wait_served({0: 1, 1: 1, 2: 1, 3: 1}, patience_s=60)
    own_fleet.kill_broker()
    time.sleep(1.0)  # until it is in the middle of asking for it
    took_s, code = seconds_to_stop(rig)
    assert took_s < STOPPED_WITHIN_S, f"{took_s} s\n{rig.logs()}"
    assert code == 0, rig.logs()
    own_fleet.restart_broker()
    rig.start_worker()
    rig.wait_working()
    rig.exactly_once(2000)


def test_a_second_signal_ends_a_worker_at_once(make_rig: Callable[..., Rig]) -> None:
    rig = make_rig(work_ms=60_000.0)
    worker = rig.start_worker()
    rig.publish([rig.frame(seq, f"camera-{seq}") for seq in range(20)])
    rig.wait_joined()
    worker.send_signal(signal.SIGTERM)
    time.sleep(0.5)  # it waits for its work now
    assert worker.poll() is None
    worker.send_signal(signal.SIGTERM)
    assert worker.wait(2.0) == -signal.SIGTERM
