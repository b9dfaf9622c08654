"""The score of the Numenta Anomaly Benchmark.

Lavin and Ahmad, "Evaluating Real-Time Anomaly Detection Algorithms: the Numenta Anomaly Benchmark", ICMLA 2015, as the
benchmark's own scorer counts since its version 1.0:

- The first 15 % of a series, of at most 5,000 rows, are the probationary period, which counts neither way.
- A detection in a labelled window earns by how early it is: 2·sigmoid(-5y) - 1, where y is -1 at the window's first row
  and nears 0 at its last; only a window's earliest detection counts. A window without any costs `miss`.
- A detection outside costs up to `false_alarm`: little right after a window, all of it from three windows' widths on,
  and before the first window.
- One threshold serves all series: the one that gives the best sum, as the benchmark chooses it for each detector.
- The sum is given on the scale where a detector that says nothing has 0 and a perfect one 100.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Final

import numpy as np
from numpy.typing import NDArray

PROBATION_SHARE: Final = 0.15
PROBATION_ROWS: Final = 5_000
"""Of a longer series, the share is of so many rows."""
NOTHING: Final = np.inf
"""A threshold that no score reaches."""


@dataclass(frozen=True, slots=True)
class Profile:
    """What a detection is worth.

    Attributes:
        hit: Earned for a window detected at its first row.
        miss: Lost for a window without a detection.
        false_alarm: Lost for a detection far from any window.
    """

    hit: float
    miss: float
    false_alarm: float


STANDARD: Final = Profile(hit=1.0, miss=1.0, false_alarm=0.11)
PROFILES: Final = {
    "standard": STANDARD,
    "reward_low_fp": Profile(hit=1.0, miss=1.0, false_alarm=0.22),
    "reward_low_fn": Profile(hit=1.0, miss=2.0, false_alarm=0.11),
}


@dataclass(frozen=True, slots=True, eq=False)
class Scored:
    """A series and what a detector made of it.

    Attributes:
        scores: (n,) a score a row; from a threshold on, a row is a detection.
        windows: First and last row of each labelled window, ascending.
    """

    scores: NDArray[np.float64]
    windows: tuple[tuple[int, int], ...]


@dataclass(frozen=True, slots=True)
class Outcome:
    """What a threshold gives.

    Attributes:
        score: 0 says nothing, 100 is perfect; may be negative.
        threshold: From it on, a score is a detection.
        windows: How many are labelled outside probationary periods.
        found: How many of them hold a detection.
        false_alarms: Detections outside of windows.
    """

    score: float
    threshold: float
    windows: int
    found: int
    false_alarms: int


def scaled_sigmoid(y: NDArray[np.float64]) -> NDArray[np.float64]:
    """2·sigmoid(-5y) - 1, and -1 from 3 on: the benchmark's reward by relative position."""
    value: NDArray[np.float64] = 2.0 / (1.0 + np.exp(5.0 * np.minimum(y, 3.0))) - 1.0
    return np.where(y >= 3.0, -1.0, value)


def probation(rows: int) -> int:
    """Rows at the start of a series that do not count."""
    return int(np.ceil(min(np.floor(PROBATION_SHARE * rows), PROBATION_SHARE * PROBATION_ROWS)))


def weights(rows: int, windows: Sequence[tuple[int, int]], profile: Profile) -> NDArray[np.float64]:
    """(rows,): what a detection at each row is worth, were it the only one."""
    worth = np.full(rows, -profile.false_alarm)
    for (first, last), (following, _) in pairwise([*windows, (rows, rows)]):
        width = last - first + 1
        inside = np.arange(first, last + 1)
        worth[inside] = profile.hit * scaled_sigmoid(-(last - inside + 1) / width) / scaled_sigmoid(np.array(-1.0))
        behind = np.arange(last + 1, following)
        worth[behind] = profile.false_alarm * scaled_sigmoid((behind - last) / max(width - 1.0, 1.0))
    return worth


def score_at(series: Sequence[Scored], threshold: float, profile: Profile = STANDARD) -> Outcome:
    """The score of all series with one threshold."""
    total, found, labelled, false_alarms = 0.0, 0, 0, 0
    for one in series:
        rows = len(one.scores)
        worth = weights(rows, one.windows, profile)
        detected = one.scores >= threshold
        detected[: probation(rows)] = False
        outside = np.ones(rows, bool)
        for first, last in one.windows:
            outside[first : last + 1] = False
            if last < probation(rows):
                continue
            labelled += 1
            hits = worth[first : last + 1][detected[first : last + 1]]
            found += len(hits) > 0
            total += float(hits.max()) if len(hits) else -profile.miss
        total += float(worth[detected & outside].sum())
        false_alarms += int((detected & outside).sum())
    nothing, perfect = -profile.miss * labelled, profile.hit * labelled
    span = perfect - nothing
    score = 100.0 * (total - nothing) / span if span else 100.0 * total
    return Outcome(score, threshold, labelled, found, false_alarms)


def best_threshold(series: Sequence[Scored], profile: Profile = STANDARD) -> Outcome:
    """The score with the threshold that gives the best, found among all scores; labels are needed for it.

    Each row is taken in once, from the highest score down, so it takes one pass over the sorted rows.
    """
    scores, worths, groups = [], [], []
    labelled = 0
    for one in series:
        rows = len(one.scores)
        group = np.full(rows, -1)
        for first, last in one.windows:
            if last >= probation(rows):
                group[first : last + 1] = labelled
                labelled += 1
        counted = slice(probation(rows), None)
        scores.append(one.scores[counted])
        worths.append(weights(rows, one.windows, profile)[counted])
        groups.append(group[counted])
    score, worth, group = (np.concatenate(parts) for parts in (scores, worths, groups))
    order = np.argsort(-score, kind="stable")
    score, worth, group = score[order], worth[order], group[order]
    reached = np.full(labelled, -profile.miss)
    total = float(reached.sum())
    best, threshold = total, NOTHING
    for place, (value, earned, window) in enumerate(zip(score, worth, group, strict=True)):
        if window < 0:
            total += earned
        elif earned > reached[window]:
            total += earned - reached[window]
            reached[window] = earned
        last_of_its_score = place + 1 == len(score) or score[place + 1] != value
        if last_of_its_score and total > best:
            best, threshold = total, float(value)
    return score_at(series, threshold, profile)
