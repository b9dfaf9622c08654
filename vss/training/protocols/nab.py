"""Runs a detector over the Numenta Anomaly Benchmark's series, each as a stream: no row is judged by later ones."""

from __future__ import annotations

import csv
import json
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Final

import numpy as np
from numpy.typing import NDArray

from vss.errors import ConfigError, ModelUnsupported
from vss.training.anomaly.graph import SCORE
from vss.training.anomaly.streaming import streaming_scores, write_streaming
from vss.training.data.split import rolling
from vss.training.protocols.nab_score import Outcome, Profile, Scored, best_threshold, score_at
from vss.training.series_file import run_file

LABELS_FILE: Final = "combined_windows.json"
_CHECKED_EVERY: Final = 499
_TOLERANCE: Final = 1e-3
"""Distances are made in float64 here, and as differences of squares in float32 in the file."""

Detect = Callable[[NDArray[np.float64]], NDArray[np.float64]]
"""Values of a series (n,) to a score a row (n,)."""


@dataclass(frozen=True, slots=True, eq=False)
class Labelled:
    """One series.

    Attributes:
        name: `realKnownCause/machine_temperature_system_failure.csv`.
        values: (n,).
        windows: First and last row of each labelled window.
    """

    name: str
    values: NDArray[np.float64]
    windows: tuple[tuple[int, int], ...]


@dataclass(frozen=True, slots=True)
class Result:
    """What came of all series.

    Attributes:
        best: With the one threshold that suits all series best, as the benchmark reports every detector.
        fixed: With the detector's own threshold, set without any label.
        series: By series, with the threshold of `best`.
    """

    best: Outcome
    fixed: Outcome
    series: dict[str, Outcome]


def read_series(folder: Path) -> list[Labelled]:
    """The series of a folder that its labels name; labels of series that are not there are passed over.

    Rows keep the order of the file: in some, the clock is put back once.

    Raises:
        ConfigError: There are no labels or no series, or one is no such table.
    """
    labels = next((path for path in (folder / LABELS_FILE, *folder.rglob(LABELS_FILE)) if path.is_file()), None)
    if labels is None:
        raise ConfigError(
            f"{folder} holds no {LABELS_FILE}",
            fix="name a copy of https://github.com/numenta/NAB, its folders data and labels, with --data",
        )
    wanted: dict[str, list[tuple[str, str]]] = json.loads(labels.read_text())
    found = []
    for name, windows in wanted.items():
        path = next((one for one in (folder / name, folder / "data" / name) if one.is_file()), None)
        if path is not None:
            found.append(_read(path, name, windows))
    if not found:
        raise ConfigError(f"{folder} holds none of the series that {LABELS_FILE} names", fix="name the folder `data`")
    return found


def _read(path: Path, name: str, windows: Sequence[tuple[str, str]]) -> Labelled:
    try:
        with path.open(newline="") as file:
            rows = list(csv.DictReader(file))
        times = [datetime.fromisoformat(row["timestamp"]) for row in rows]
        values = np.array([float(row["value"]) for row in rows])
    except (KeyError, ValueError, TypeError) as error:
        raise ConfigError(
            f"{path} is no table of timestamp and value: {error}", fix="take the file as it was published"
        ) from error
    places = []
    for start, end in windows:
        inside = [
            row
            for row, time in enumerate(times)
            if datetime.fromisoformat(start) <= time <= datetime.fromisoformat(end)
        ]
        if inside:
            places.append((inside[0], inside[-1]))
    return Labelled(name, values, tuple(places))


def streaming_detector(window: int, folder: Path) -> Detect:
    """The detector that learns nothing; some rows are also scored by the file that a worker would serve.

    Args:
        window: Readings it looks at.
        folder: Where that file is written.
    """
    file = folder / "streaming.onnx"
    write_streaming(file, window, 1)

    def detect(values: NDArray[np.float64]) -> NDArray[np.float64]:
        scores = streaming_scores(values, window)
        some = np.arange(window - 1, len(values), _CHECKED_EVERY)
        if len(some):
            windows = np.stack([values[row - window + 1 : row + 1] for row in some])[:, :, None].astype(np.float32)
            served = run_file(file, windows, batch=8)[SCORE]
            if not np.allclose(served, scores[some], rtol=_TOLERANCE, atol=_TOLERANCE):
                raise ModelUnsupported("the file scores other than the arithmetic it was made of", fix="report it")
        return scores

    return detect


def served_detector(file: Path, window: int) -> Detect:
    """A detector of the store with one feature; rows before its first whole window score 0.

    Args:
        file: ONNX.
        window: Readings it looks at.
    """

    def detect(values: NDArray[np.float64]) -> NDArray[np.float64]:
        scores = np.zeros(len(values))
        if len(values) >= window:
            scores[window - 1 :] = run_file(file, rolling(values.astype(np.float32)[:, None], window))[SCORE]
        return scores

    return detect


def evaluate_nab(
    series: Sequence[Labelled],
    detect: Detect,
    threshold: float,
    profile: Profile,
    on_series: Callable[[], None] | None = None,
) -> Result:
    """Scores all series.

    Args:
        series: Of the benchmark.
        detect: The detector.
        threshold: Its own: above it, a score is an alarm.
        profile: What detections are worth.
        on_series: Told after each.
    """
    scored = {}
    for one in series:
        scored[one.name] = Scored(detect(one.values), one.windows)
        if on_series is not None:
            on_series()
    every = list(scored.values())
    best = best_threshold(every, profile)
    own = score_at(every, float(np.nextafter(threshold, np.inf)), profile)
    return Result(best, own, {name: score_at([one], best.threshold, profile) for name, one in scored.items()})
