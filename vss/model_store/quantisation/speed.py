"""How fast models are beside one another."""

from __future__ import annotations

import statistics
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

ROUNDS: Final = 11
_SHORTEST_TURN_S: Final = 0.02
_MOST_CALLS: Final = 4096

Run = Callable[[NDArray[np.float32]], Any]
"""Runs a model on one input, on the thread that calls it."""


@dataclass(frozen=True, slots=True)
class Speed:
    """What was measured.

    Attributes:
        ratio: How many times as fast as the original: the median of the rounds.
        cpu_ms: CPU time of a call, milliseconds: the median.
    """

    ratio: float
    cpu_ms: float


def race(
    original: Run,
    others: Sequence[Run],
    inputs: Sequence[NDArray[np.float32]],
    *,
    rounds: int = ROUNDS,
    on_turn: Callable[[], None] = lambda: None,
    cpu_s: Callable[[], float] = time.thread_time,
) -> tuple[float, list[Speed]]:
    """Runs all in turn, round by round, so that what slows the machine down for a while slows all of them.

    Args:
        original: What the others are compared with.
        others: At least one.
        inputs: What all are run on.
        rounds: Turns that each has.
        on_turn: Called after each.
        cpu_s: CPU time of this thread, seconds.

    Returns:
        CPU time of a call of the original, milliseconds; and the speed of each of the others.
    """

    def turn(run: Run, calls: int) -> float:
        start_s = cpu_s()
        for i in range(calls):
            run(inputs[i % len(inputs)])
        spent_s = (cpu_s() - start_s) / calls
        on_turn()
        return max(spent_s, 1e-9)

    runs = [original, *others]
    # The first call of each also makes it warm. A small model is called more often a turn: the clock has steps.
    slowest_s = max(turn(run, 1) for run in runs)
    calls = min(_MOST_CALLS, max(1, round(_SHORTEST_TURN_S / slowest_s)))
    times = [[turn(run, calls) for run in runs] for _ in range(rounds)]
    columns = list(zip(*times, strict=True))
    ratios = [statistics.median(row[0] / row[i] for row in times) for i in range(1, len(runs))]
    milliseconds = [statistics.median(column) * 1000 for column in columns]
    return milliseconds[0], [Speed(*one) for one in zip(ratios, milliseconds[1:], strict=True)]
