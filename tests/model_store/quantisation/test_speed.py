from typing import Any

import numpy as np
import pytest

from vss.model_store.quantisation.speed import race

INPUT = [np.zeros(1, np.float32)]


class Machine:
    """CPU time that models take on a machine that gets busier from round to round of three calls."""

    def __init__(self) -> None:
        self.now_s = 0.0
        self.calls = 0

    def model(self, call_s: float) -> Any:
        def run(_input: Any) -> None:
            self.now_s += call_s * (1 + self.calls // 3)
            self.calls += 1

        return run

    def cpu_s(self) -> float:
        return self.now_s


def test_what_slows_the_machine_down_slows_all_alike() -> None:
    machine = Machine()
    models = [machine.model(s) for s in (0.05, 0.04)]
    turns: list[None] = []
    original_ms, speeds = race(
        machine.model(0.1), models, INPUT, rounds=7, on_turn=lambda: turns.append(None), cpu_s=machine.cpu_s
    )
    assert [speed.ratio for speed in speeds] == pytest.approx([2.0, 2.5])
    assert (original_ms, speeds[0].cpu_ms) == pytest.approx((500, 250))
    assert len(turns) == 8 * 3


def test_a_small_model_is_called_often_enough_for_the_clock() -> None:
    machine = Machine()
    race(machine.model(1e-5), [machine.model(1e-5)], INPUT, rounds=2, cpu_s=machine.cpu_s)
    assert machine.calls > 1000
