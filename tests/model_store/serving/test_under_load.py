"""Real models, real threads: frames come as fast as they can while versions come and go."""

from __future__ import annotations

import itertools
import threading
import time
from collections import deque
from concurrent.futures import Future
from pathlib import Path
from typing import Any

from tests.model_store.serving.real_models import activation, add_model, request, serving_of
from vss.metrics import Metrics
from vss.model_store.serving.serving import Breach
from vss.schemas.models import ServingLimits

WAIT_S = 60
SWAPS = 12


def test_swaps_under_load_lose_no_frame_and_split_no_batch(tmp_path: Path) -> None:
    for x in (20, 40):
        add_model(tmp_path, "gate", x=x)
    metrics = Metrics()
    serving = serving_of(tmp_path, metrics=metrics)
    serving.apply(activation("gate", "1"), given_up=False)
    serving.serve("gate", "detection")
    swapped: list[bool] = []

    def swap() -> None:
        for i in range(SWAPS):
            asked = activation("gate", "12"[(i + 1) % 2], stable="12"[i % 2], id=str(i))
            swapped.append(serving.apply(asked, given_up=False).result(WAIT_S).swapped)

    swapper = threading.Thread(target=swap)
    swapper.start()
    under_way: deque[list[Future[Any]]] = deque()
    seen: list[str] = []
    while swapper.is_alive() or under_way:
        if swapper.is_alive():
            under_way.append(serving.submit([request(f"cam-{i}") for i in range(8)]))
        while len(under_way) > 2 or (under_way and not swapper.is_alive()):
            served = [future.result(WAIT_S) for future in under_way.popleft()]
            [version] = {one.version for one in served}
            assert {one.answer.value[0].center[0] for one in served} == {20.0 if version == "1" else 40.0}
            seen.append(version)
    swapper.join(WAIT_S)
    assert swapped == [True] * SWAPS
    assert set(seen) == {"1", "2"}
    assert sum(one != other for one, other in itertools.pairwise(seen)) <= SWAPS, "nobody goes back and forth"
    until = time.monotonic() + WAIT_S
    while metrics.registry.get_sample_value("vss_models_loaded") != 1:  # the last one goes beside the loop
        assert time.monotonic() < until
        time.sleep(0.005)
    # One that is asked for again while its last records are at work stays.
    assert 1 <= (metrics.registry.get_sample_value("vss_model_unloads_total", {"model_name": "gate"}) or 0) <= SWAPS
    serving.close()


def test_more_models_than_may_be_loaded_take_turns(tmp_path: Path) -> None:
    for name in "abcd":
        add_model(tmp_path, name)
    metrics = Metrics()
    serving = serving_of(tmp_path, metrics=metrics, max_loaded=2)
    serving.serve("a", "detection")
    for _ in range(3):
        batch = [request(model=name) for name in "abcd" for _ in range(3)]
        served = [future.result(WAIT_S) for future in serving.submit(batch)]
        assert [one.name for one in served] == [name for name in "abcd" for _ in range(3)]
    assert (metrics.registry.get_sample_value("vss_models_loaded") or 0) <= 2
    serving.close()


def test_a_candidate_that_is_too_slow_is_left_by_itself(tmp_path: Path) -> None:
    for x in (20, 40):
        add_model(tmp_path, "gate", x=x)
    serving = serving_of(tmp_path)
    told: list[str] = []
    done = threading.Event()

    def tell(breach: Breach) -> None:
        told.append(breach.reason)
        done.set()

    serving.on_breach = tell
    serving.apply(activation("gate", "1"), given_up=False)
    serving.serve("gate", "detection")
    impossible = ServingLimits(max_p95_ms=0.000001, min_requests=5)
    serving.apply(activation("gate", "2", stable="1", limits=impossible), given_up=False).result(WAIT_S)
    first = [future.result(WAIT_S).version for future in serving.submit([request() for _ in range(5)])]
    assert first == ["2"] * 5
    assert done.wait(WAIT_S)
    assert [future.result(WAIT_S).version for future in serving.submit([request() for _ in range(5)])] == ["1"] * 5
    assert len(told) == 1
    assert "95th percentile" in told[0]
    serving.close()
