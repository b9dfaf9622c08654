"""How soon a detector flags the fault, and how often it cries wolf: on days of the pump whose truth is known.

Needs onnxruntime, no torch.
"""

from __future__ import annotations

import statistics
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import numpy as np
from numpy.typing import NDArray

from vss.config import ModelSettings
from vss.demo.pump import FEATURES, PERIOD_MS
from vss.demo.pump.pump import Fault, Pump
from vss.errors import ModelUnsupported
from vss.model_store.resolve import resolve_model
from vss.model_store.runner.window_runner import WindowRunner
from vss.model_store.tasks.series.results import AnomalyScores

FAULT_AT_S: Final = 60.0
_AFTER_S: Final = 15.0
_BATCH: Final = 256


@dataclass(frozen=True, slots=True)
class Day:
    """What became of one day.

    Attributes:
        scores: (n,) of each window, the first when there are enough readings for one.
        threshold: Above it, a window is an anomaly.
        false_alarms: Windows of before the fault that were flagged.
        normal_windows: Windows of before the fault.
        flagged_after_s: From the fault's start until the first window was flagged; None when none was.
        affected: Share of each feature in that window's score.
    """

    scores: NDArray[np.float32]
    threshold: float
    false_alarms: int
    normal_windows: int
    flagged_after_s: float | None
    affected: dict[str, float]


def judge_day(model: Path, seed: int, *, fault_at_s: float = FAULT_AT_S) -> Day:
    """Has a detector look at each window of a day, as a worker without a stride does.

    Args:
        model: ONNX with a detector of the pump's features.
        seed: Of the day.
        fault_at_s: When the fault starts.
    """
    runner = WindowRunner.load(resolve_model(str(model), ModelSettings(threads=1)), ModelSettings(threads=1))
    try:
        spec = runner.spec
        fault, pump = Fault(fault_at_s), Pump(seed)
        times_s = np.arange(0.0, fault_at_s + _AFTER_S, PERIOD_MS / 1000)
        order = [FEATURES.index(feature) for feature in spec.features]
        rows = [tuple(pump.step(fault.severity(at_s)).values.values()) for at_s in times_s.tolist()]
        readings = np.array(rows, np.float32)[:, order]
        windows = np.lib.stride_tricks.sliding_window_view(readings, spec.window, axis=0).transpose(0, 2, 1)
        answers = [
            _scores(runner, np.ascontiguousarray(windows[at : at + _BATCH])) for at in range(0, len(windows), _BATCH)
        ]
    finally:
        runner.close()
    scores = np.concatenate([answer.score for answer in answers])
    shares = np.concatenate([answer.shares for answer in answers])
    ends_s = times_s[spec.window - 1 :]
    bad = scores > answers[0].threshold
    after = ends_s >= fault_at_s - 1e-9
    flagged = np.flatnonzero(bad & after)
    first = int(flagged[0]) if len(flagged) else None
    return Day(
        scores=scores,
        threshold=float(answers[0].threshold),
        false_alarms=int((bad & ~after).sum()),
        normal_windows=int((~after).sum()),
        flagged_after_s=float(ends_s[first] - fault_at_s) if first is not None else None,
        affected=dict(zip(spec.features, shares[first].tolist(), strict=True)) if first is not None else {},
    )


def _scores(runner: WindowRunner, windows: NDArray[np.float32]) -> AnomalyScores:
    value = runner.run(windows).value
    if not isinstance(value, AnomalyScores):
        raise ModelUnsupported(f"{runner.name} does not look for anomalies", fix="name a detector")
    return value


def measure_detector(model: Path, seeds: Iterable[int]) -> dict[str, float | int | None]:
    """Judges a day a seed.

    Args:
        model: ONNX with a detector of the pump's features.
        seeds: Of the days.

    Returns:
        How many days, in how many of them the fault was flagged, after how long (median and longest), and false alarms
        among how many normal windows.
    """
    days = [judge_day(model, seed) for seed in seeds]
    delays = [day.flagged_after_s for day in days if day.flagged_after_s is not None]
    return {
        "days": len(days),
        "flagged": len(delays),
        "flagged_after_s_median": round(statistics.median(delays), 2) if delays else None,
        "flagged_after_s_longest": round(max(delays), 2) if delays else None,
        "false_alarms": sum(day.false_alarms for day in days),
        "normal_windows": sum(day.normal_windows for day in days),
    }
