"""Two versions of an anomaly model on the same readings: where their verdicts differ, and what each costs."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray

from vss.config import ModelSettings
from vss.errors import ConfigError, ModelUnsupported
from vss.model_store.evaluation.usage import Stopwatch
from vss.model_store.resolve import ModelRef
from vss.model_store.runner.window_runner import WindowRunner
from vss.model_store.tasks.series.imputing import Windows
from vss.model_store.tasks.series.results import AnomalyScores
from vss.model_store.tasks.series.spec import differing_layout
from vss.training.data.series import TrainingData
from vss.training.data.split import pieces

_TASK: Final = "anomaly"
_CHUNK: Final = 1024


@dataclass(frozen=True, slots=True)
class WindowSide:
    """What one version said, and what that cost.

    Attributes:
        name: `name@version`.
        anomalies: Windows above its threshold.
        failed: Windows it failed on.
        cpu_ms: Of the whole process for a window, milliseconds.
    """

    name: str
    anomalies: int
    failed: int
    cpu_ms: float


@dataclass(frozen=True, slots=True)
class WindowComparison:
    """What was found.

    Attributes:
        windows: How many both looked at.
        agreement: Share of them with the same verdict, 0..1; one that a version failed on is no agreement.
        correlation: Of the two scores (Pearson's), -1..1; None where one of them does not change.
        only_a: Anomalies of A alone.
        only_b: Anomalies of B alone.
        a: The first version.
        b: The second.
    """

    windows: int
    agreement: float
    correlation: float | None
    only_a: int
    only_b: int
    a: WindowSide
    b: WindowSide

    @property
    def findings(self) -> int:
        """Anomalies of both sides."""
        return self.a.anomalies + self.b.anomalies

    @property
    def looked_at(self) -> str:
        """For people."""
        return f"{self.windows} windows"


class _Side:
    def __init__(self, ref: ModelRef, settings: ModelSettings) -> None:
        self.runner = WindowRunner.load(ref, settings)
        self.name = f"{ref.name}@{ref.version}"
        self.cpu_s = 0.0
        self.scores: list[NDArray[np.float32]] = []
        self.verdicts: list[NDArray[np.bool_]] = []
        self.failed: list[NDArray[np.bool_]] = []

    def run(self, windows: Windows) -> None:
        watch = Stopwatch()
        scored = self.runner.run(windows)
        self.cpu_s += watch.read().cpu_s
        if not isinstance(scored.value, AnomalyScores):
            raise TypeError(f"{self.name} gives no scores")
        failed = np.zeros(len(windows), bool)
        failed[list(scored.failed)] = True
        self.scores.append(scored.value.score)
        self.verdicts.append(scored.value.is_anomaly)
        self.failed.append(failed)

    def report(self, windows: int) -> WindowSide:
        anomalies, failed = (int(np.concatenate(of).sum()) for of in (self.verdicts, self.failed))
        return WindowSide(self.name, anomalies, failed, 1000 * self.cpu_s / windows)


def compare_on_readings(
    refs: tuple[ModelRef, ModelRef],
    settings: ModelSettings,
    read: Callable[[tuple[str, ...]], TrainingData],
    *,
    limit: int | None = None,
    every: int = 1,
    on_windows: Callable[[int], None] = lambda _: None,
) -> WindowComparison:
    """Runs A and B over the same windows, in turns.

    Args:
        refs: A and B.
        settings: Where models run.
        read: Gives the readings of these features.
        limit: Windows at most, the first ones.
        every: Readings from one window to the next.
        on_windows: Told how many more were looked at.

    Raises:
        ModelError: A version cannot be served, or is for no anomalies.
        ConfigError: They look at different windows, or there is no window in the readings.
    """
    for ref in refs:
        if ref.manifest.task != _TASK:
            raise ModelUnsupported(
                f"{ref.name}@{ref.version} is for {ref.manifest.task}; on readings models for anomalies are compared",
                fix="measure each forecast against what came: vss evaluate forecast",
            )
    sides: list[_Side] = []
    try:
        for ref in refs:
            sides.append(_Side(ref, settings))
        a, b = (side.runner.spec for side in sides)
        if differing := differing_layout((a.features, a.window, None), (b.features, b.window, None)):
            raise ConfigError(
                f"{sides[1].name} looks at other windows than {sides[0].name}: {differing}",
                fix="measure each by itself: vss evaluate anomaly",
            )
        for side in sides:
            side.runner.warm()
        data = read(a.features)
        for turn, windows in enumerate(_windows(data, a.window, every, limit)):
            for side in sides if turn % 2 == 0 else reversed(sides):
                side.run(windows)
            on_windows(len(windows))
        if not sides[0].scores:
            raise ConfigError(
                f"{data.shown} has no {a.window} readings in a row that a window could be made of",
                fix="give more readings, or some without gaps",
            )
        return _compared(*sides)
    finally:
        for side in sides:
            side.runner.close()


def _windows(data: TrainingData, length: int, every: int, limit: int | None) -> Iterator[Windows]:
    left = math.inf if limit is None else limit
    for piece in pieces(data):
        if len(piece) < length:
            continue
        views = np.lib.stride_tricks.sliding_window_view(piece.values.astype(np.float32), length, axis=0)[::every]
        for start in range(0, len(views), _CHUNK):
            count = int(min(_CHUNK, left, len(views) - start))
            if not count:
                return
            yield np.ascontiguousarray(views[start : start + count].transpose(0, 2, 1))
            left -= count


def _compared(a: _Side, b: _Side) -> WindowComparison:
    ours, theirs = (np.concatenate(side.verdicts) for side in (a, b))
    failed = np.concatenate(a.failed) | np.concatenate(b.failed)
    windows = len(failed)
    same = int(((ours == theirs) & ~failed).sum())
    scores = [np.concatenate(side.scores)[~failed].astype(np.float64) for side in (a, b)]
    varies = all(len(one) and float(one.std()) > 0 for one in scores)
    return WindowComparison(
        windows,
        same / windows,
        float(np.corrcoef(scores[0], scores[1])[0, 1]) if varies else None,
        int((ours & ~theirs & ~failed).sum()),
        int((theirs & ~ours & ~failed).sum()),
        a.report(windows),
        b.report(windows),
    )
