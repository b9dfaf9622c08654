"""Runs a detector over SKAB: one that is fitted to each file, as the leaderboard's are, or one of the store."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from vss.errors import ModelUnsupported
from vss.model_store.tasks.series.imputing import impute
from vss.model_store.tasks.series.spec import SeriesSpec
from vss.training.anomaly.detector import DetectorSettings
from vss.training.anomaly.graph import SCORE
from vss.training.anomaly.train import train_detector
from vss.training.data.split import rolling
from vss.training.protocols.skab import Counts, Run, said_of_rows
from vss.training.series_file import run_file

Judge = Callable[[Run], NDArray[np.bool_]]
"""Says of every row of a run whether it is an anomaly."""


@dataclass(frozen=True, slots=True)
class Judged:
    """What came of one file."""

    name: str
    counts: Counts


def fitted_to_each(
    settings: DetectorSettings, folder: Path, *, device: str = "auto", threads: int | None = None
) -> Judge:
    """A detector trained as `vss train anomaly` does, on the first 400 rows of each file.

    Args:
        settings: The same for all files.
        folder: Where files are written, and overwritten.
        device: As `prepare_torch`.
        threads: As `prepare_torch`.
    """

    def judge(run: Run) -> NDArray[np.bool_]:
        made = train_detector(
            run.training, settings, folder, created="1970-01-01T00:00:00Z", device=device, threads=threads
        )
        return _said(run, made.file, settings.window, run.training.means(), made.calibrated.threshold)

    return judge


def already_there(file: Path, spec: SeriesSpec) -> Judge:
    """A detector of the store, the same for all files.

    Args:
        file: ONNX.
        spec: What it was trained with.
    """

    def judge(run: Run) -> NDArray[np.bool_]:
        if run.data.features != spec.features:
            raise ModelUnsupported(
                f"the model takes {', '.join(spec.features)}; {run.name} has {', '.join(run.data.features)}",
                fix="evaluate a model that was trained on the columns of SKAB",
            )
        return _said(run, file, spec.window, np.array(spec.fallback), spec.threshold)

    return judge


def judge_all(runs: Sequence[Run], judge: Judge, on_run: Callable[[], None] | None = None) -> list[Judged]:
    """Every file in its turn.

    Args:
        runs: The files.
        judge: What says 0 or 1.
        on_run: Told after each.
    """
    judged = []
    for run in runs:
        judged.append(Judged(run.name, Counts.of(run.truth, judge(run))))
        if on_run is not None:
            on_run()
    return judged


def _said(run: Run, file: Path, window: int, fallback: NDArray[np.float64], threshold: float) -> NDArray[np.bool_]:
    (series,) = run.data.series
    windows, _ = impute(rolling(series.values.astype(np.float32), window), "hold", fallback.tolist())
    return said_of_rows(run_file(file, windows)[SCORE], threshold, len(series))
