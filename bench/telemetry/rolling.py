"""The step that `vss bench telemetry` measures, for stream processors that hand over one reading after the other.

Needs nothing but Python, for it runs in each peer's own environment.
"""

from __future__ import annotations

import argparse
import json
import math
import time

WINDOW = 100
SPAN_MS = 10_000


def take(state: list[float], ts_ms: int, p: float, q: float) -> float | None:
    """Takes a reading into a sensor's window; its score, if the window is due.

    Args:
        state: Empty at first: then the span of time of the newest reading, and the values, two a reading. Changed.
        ts_ms: Of the reading.
        p: Its first value.
        q: Its second.
    """
    span = ts_ms // SPAN_MS
    if not state:
        state.append(span)
    was_full, was_in = len(state) > 2 * WINDOW, state[0]
    state[0] = span
    if was_full:
        del state[1:3]
    state += (p, q)
    if len(state) <= 2 * WINDOW or (was_full and span == was_in):
        return None
    return (_deviation(state[1::2]) + _deviation(state[2::2])) / 2


def _deviation(values: list[float]) -> float:
    mean = sum(values) / WINDOW
    return abs(values[-1] - mean) / math.sqrt(sum([(value - mean) ** 2 for value in values]) / WINDOW)


def options() -> argparse.Namespace:
    """What each harness is told."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--servers", required=True)
    parser.add_argument("--source", required=True)
    parser.add_argument("--target", required=True)
    parser.add_argument("--readings", type=int, required=True)
    return parser.parse_args()


class Watch:
    """From the first reading that arrives to the last event that is written."""

    def __init__(self) -> None:
        self.seen = 0
        self._cpu_s = self._wall_s = 0.0

    def saw(self) -> int:
        """One more reading; how many there have been."""
        if not self.seen:
            self._cpu_s, self._wall_s = time.process_time(), time.perf_counter()
        self.seen += 1
        return self.seen

    def report(self) -> None:
        """Prints what a reading cost."""
        cpu_s, wall_s = time.process_time() - self._cpu_s, time.perf_counter() - self._wall_s
        print(json.dumps({"cpu_s": cpu_s / self.seen, "wall_s": wall_s / self.seen}), flush=True)
