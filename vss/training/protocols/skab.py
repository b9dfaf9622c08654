"""The Skoltech Anomaly Benchmark, as the notebooks behind its leaderboard count (waico/SKAB, `core/metrics.py`).

Each file is one run of the test bed with one fault. A detector is fitted to the first 400 rows of each file, which are
free of faults, and then says 0 or 1 for every row of it, those 400 included. Right and wrong rows of all files are
added up, and from the sums:

- F1 = TP / (TP + (FP + FN) / 2)
- FAR, false alarm rate = FP / (FP + TN)
- MAR, missing alarm rate = FN / (FN + TP)

Here a row's answer is that of the window that ends with it, as a worker gives it: no row is judged by later ones, and
rows before the first whole window are not anomalies. (The notebooks of the leaderboard's autoencoders look ahead: they
call a row anomalous when all windows that hold it are.)
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import numpy as np
from numpy.typing import NDArray

from vss.errors import ConfigError
from vss.training.data.csv_file import read_csv, read_labels
from vss.training.data.series import TrainingData

TRAINING_ROWS: Final = 400
"""Of each file, free of faults."""
_LABEL: Final = "anomaly"


@dataclass(frozen=True, slots=True)
class Counts:
    """Rows by what they are and what was said of them."""

    tp: int
    fp: int
    fn: int
    tn: int

    @classmethod
    def of(cls, truth: NDArray[np.bool_], said: NDArray[np.bool_]) -> Counts:
        """Of (n,) rows."""
        return cls(
            int((truth & said).sum()),
            int((~truth & said).sum()),
            int((truth & ~said).sum()),
            int((~truth & ~said).sum()),
        )

    def __add__(self, other: Counts) -> Counts:
        return Counts(self.tp + other.tp, self.fp + other.fp, self.fn + other.fn, self.tn + other.tn)

    @property
    def f1(self) -> float:
        """0..1; 0 where there is nothing to find and nothing was said."""
        weight = self.tp + (self.fp + self.fn) / 2
        return self.tp / weight if weight else 0.0

    @property
    def false_alarm_rate(self) -> float:
        """0..1."""
        return self.fp / (self.fp + self.tn) if self.fp + self.tn else 0.0

    @property
    def missing_alarm_rate(self) -> float:
        """0..1."""
        return self.fn / (self.fn + self.tp) if self.fn + self.tp else 0.0


@dataclass(frozen=True, slots=True, eq=False)
class Run:
    """One file.

    Attributes:
        name: `valve1/0.csv`.
        data: All its rows.
        truth: (n,) whether a row is in the fault.
    """

    name: str
    data: TrainingData
    truth: NDArray[np.bool_]

    @property
    def training(self) -> TrainingData:
        """The rows that a detector may learn from."""
        (series,) = self.data.series
        return self.data.of([series.cut(0, TRAINING_ROWS)])


def read_runs(folder: Path) -> list[Run]:
    """The labelled files of a folder and of those in it; the anomaly-free one has no labels and is passed over.

    Raises:
        ConfigError: There is none, or one is no table of readings.
    """
    files = sorted(folder.rglob("*.csv"), key=lambda path: (path.parent, len(path.stem), path.stem))
    runs = [_read(path, folder) for path in files if _has_label(path)]
    if not runs:
        raise ConfigError(
            f"no file of {folder} is a table with a column {_LABEL!r}",
            fix="name the folder `data` of a copy of https://github.com/waico/SKAB with --data",
        )
    return runs


def _has_label(path: Path) -> bool:
    with path.open("rb") as file:
        return _LABEL.encode() in file.readline(10_000).strip().split(b";")


def _read(path: Path, folder: Path) -> Run:
    data = read_csv(path)
    truth = read_labels(path, _LABEL)
    if data.rows != len(truth):
        raise ConfigError(f"{path} has rows with one time", fix="take the file as it was published")
    if data.rows <= TRAINING_ROWS:
        raise ConfigError(f"{path} has {data.rows} rows, {TRAINING_ROWS} are to learn from", fix="take whole files")
    return Run(str(path.relative_to(folder)), data, truth)


def said_of_rows(scores: NDArray[np.floating], threshold: float, rows: int) -> NDArray[np.bool_]:
    """(rows,) what a detector says of each row: of the last ones by their windows' scores, of the first ones nothing.

    Args:
        scores: (m,) of all windows, in order.
        threshold: Above it, a window is an anomaly.
        rows: Of the file, at least m.
    """
    said = np.zeros(rows, bool)
    said[rows - len(scores) :] = scores > threshold
    return said


def summed(counts: Sequence[Counts]) -> Counts:
    """Of all files together."""
    return sum(counts, Counts(0, 0, 0, 0))
