"""What windows are, said as plainly as can be: every reading replays what came before it."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Reading:
    """One record of one partition."""

    key: bytes
    offset: int
    ts_ms: int
    values: tuple[float, ...]


@dataclass(frozen=True, slots=True)
class Rules:
    """Settings and layout."""

    window: int
    lateness_ms: int
    expire_after_ms: int
    max_rewind: int
    stride: int = 1
    period_ms: int = 10


@dataclass(frozen=True, slots=True)
class Seen:
    """What became of a reading, and the window that it made due, oldest first."""

    status: str
    window: tuple[Reading, ...] = ()


def place(window: list[Reading], reading: Reading, rules: Rules) -> tuple[str, list[Reading]]:
    """What becomes of a reading, and the window then."""
    if not window:
        return "newest", [reading]
    newest = max(held.ts_ms for held in window)
    if reading.ts_ms - newest > rules.expire_after_ms:
        return "anew", [reading]
    if newest - reading.ts_ms > rules.lateness_ms:
        return "late", window
    if any(held.ts_ms == reading.ts_ms for held in window):
        return "duplicate", window
    if len(window) == rules.window and reading.ts_ms < min(held.ts_ms for held in window):
        return "late", window
    held = sorted([*window, reading], key=lambda each: each.ts_ms)[-rules.window :]
    return ("newest" if reading.ts_ms > newest else "inside"), held


def see(log: Sequence[Reading], at: int, rules: Rules, begin: int = 0) -> Seen:
    """What becomes of one reading of a partition's log.

    Args:
        log: The readings in order of offset.
        at: Which.
        rules: Settings and layout.
        begin: What lies below that offset is not known.
    """
    reading = log[at]
    block = rules.max_rewind // 2
    reach = max(begin, (reading.offset // block - 1) * block)
    window: list[Reading] = []
    for before in log[:at]:
        if before.key == reading.key and before.offset >= reach:
            _, window = place(window, before, rules)
    status, after = place(window, reading, rules)
    if status in ("late", "duplicate"):
        return Seen(status)
    full = len(after) == rules.window
    became_full = full and (status == "anew" or len(window) < rules.window)
    span = rules.stride * rules.period_ms
    moved = not window or window[-1].ts_ms // span != reading.ts_ms // span
    if full and status in ("newest", "anew") and (rules.stride == 1 or became_full or moved):
        return Seen("due", tuple(after))
    return Seen("taken")


def see_all(log: Sequence[Reading], rules: Rules) -> list[Seen]:
    """What becomes of each reading of a partition's log."""
    return [see(log, at, rules) for at in range(len(log))]


def same(a: float, b: float) -> bool:
    """Whether two values are, NaN and NaN too."""
    return a == b or (math.isnan(a) and math.isnan(b))
