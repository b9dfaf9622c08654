"""The line that fits best, in closed form: ridge regression from normalised windows to what followed them.

All features share one line, or each has one that is drawn towards the shared: its normal equations are mixed with those
of all. How strongly, and how small the weights are kept, held-out windows choose. Windows that hardly move count less:
what follows them, in units of their own tiny spread, would outweigh all others.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray

from vss.training.forecast.windows import Floats, ForecastWindows

Doubles = NDArray[np.float64]
PENALTIES: Final = (1e-4, 1e-3, 1e-2, 3e-2, 1e-1, 3e-1, 1.0)
"""Tried, in shares of the mean square of an input."""
OWN_SHARES: Final = (0.0, 0.25, 0.5, 1.0)
"""Tried: how much of a line is its own feature's; 0 is one line for all."""
EPSILON: Final = 1e-5
"""As `networks.normalised.EPSILON`, which this file cannot import without PyTorch; a test holds them together."""
MOST_WINDOWS: Final = 50_000
"""Of more, every k-th is looked at: the weights are then known to many digits."""
_STILL: Final = 0.1
"""Spread, in standard deviations of the training data, at which a window counts half."""
_MOST_HELD_OUT: Final = 4_096
_MOST_HELD_NUMBERS: Final = 1 << 26
_BATCH: Final = 512
_MOST_NUMBERS: Final = 1 << 25
"""In the normal equations of all features; where there would be more, all share one line."""


@dataclass(frozen=True, slots=True, eq=False)
class Line:
    """What was found.

    Attributes:
        weights: (1 or F, L, H) float32, from normalised values to normalised steps.
        bias: (1 or F, H) float32.
        penalty: That was chosen.
        own_share: That was chosen.
        error: Mean square error on the held-out windows, standardised.
    """

    weights: Floats
    bias: Floats
    penalty: float
    own_share: float
    error: float


@dataclass(frozen=True, slots=True, eq=False)
class _Judged:
    """A batch of held-out windows: (b, L, F) normalised, (b, 1, F) level and spread, (b, H, F) what followed."""

    scaled: Floats
    middle: Floats
    spread: Floats
    followed: Floats
    known: NDArray[np.bool_]


def fit_line(train: ForecastWindows, held_out: ForecastWindows, *, most_weights: int) -> Line:
    """Fits every line there is to try, and returns the one with the least held-out error.

    Args:
        train: To learn from.
        held_out: To choose by.
        most_weights: A line of each feature's own is tried only where all of them have no more.
    """
    features, lookback = train.features, train.lookback
    own = features * (lookback + 1) ** 2 <= _MOST_NUMBERS and features * lookback * train.horizon <= most_weights
    shares = OWN_SHARES if own and features > 1 else (0.0,)
    equations = _normal_equations(train.thinned(MOST_WINDOWS), apart=len(shares) > 1)
    judged = _judged(held_out)

    def tried(share: float, penalty: float) -> Line:
        weights, bias = _solved(*equations, share, penalty)
        return Line(weights, bias, penalty, share, _error(judged, weights, bias))

    return min((tried(share, penalty) for share in shares for penalty in PENALTIES), key=lambda line: line.error)


def normalised(windows: Floats) -> tuple[Floats, Floats, Floats]:
    """Takes each window's level and spread away.

    Args:
        windows: (n, L, F).

    Returns:
        (n, L, F) normalised, (n, 1, F) level, (n, 1, F) spread.
    """
    middle = windows.mean(axis=1, keepdims=True)
    spread = np.sqrt(windows.var(axis=1, keepdims=True) + EPSILON)
    return (windows - middle) / spread, middle, spread


def _rows(windows: ForecastWindows) -> Iterator[tuple[Doubles, Doubles]]:
    """Batches of (F, b, L + 1) inputs, the last of them 1, and (F, b, H) what followed; normalised and weighted."""
    for inputs, followed, _ in windows.batches(_BATCH):
        scaled, middle, spread = normalised(inputs)
        weight = spread / np.sqrt(np.square(spread) + _STILL**2)
        rows = np.concatenate([scaled, np.ones_like(scaled[:, :1])], axis=1) * weight
        target = (followed - middle) / spread * weight
        yield rows.transpose(2, 0, 1).astype(np.float64), target.transpose(2, 0, 1).astype(np.float64)


def _normal_equations(windows: ForecastWindows, *, apart: bool) -> tuple[Doubles, Doubles]:
    """(1 or F, L + 1, L + 1) products of inputs, and (1 or F, L + 1, H) with what followed."""
    groups, width = windows.features if apart else 1, windows.lookback + 1
    inputs = np.zeros((groups, width, width))
    outputs = np.zeros((groups, width, windows.horizon))
    for rows, target in _rows(windows):
        for feature in range(windows.features):
            group = feature if apart else 0
            inputs[group] += rows[feature].T @ rows[feature]
            outputs[group] += rows[feature].T @ target[feature]
    return inputs, outputs


def _solved(inputs: Doubles, outputs: Doubles, own_share: float, penalty: float) -> tuple[Floats, Floats]:
    if own_share == 0:
        inputs, outputs = inputs.mean(axis=0, keepdims=True), outputs.mean(axis=0, keepdims=True)
    else:
        inputs = own_share * inputs + (1 - own_share) * inputs.mean(axis=0)
        outputs = own_share * outputs + (1 - own_share) * outputs.mean(axis=0)
    width = inputs.shape[1]
    # The bias, the last, is not held small; and no input may be without any penalty at all, or a constant one has none.
    ridge = np.ones(width)
    ridge[-1] = 0
    strength = penalty * np.trace(inputs, axis1=1, axis2=2) / width + 1e-9
    found = np.linalg.solve(inputs + strength[:, None, None] * np.diag(ridge), outputs)
    return found[:, :-1].astype(np.float32), found[:, -1].astype(np.float32)


def _judged(windows: ForecastWindows) -> list[_Judged]:
    """Held-out windows, normalised once for all lines."""
    fit_in = _MOST_HELD_NUMBERS // (windows.features * (windows.lookback + windows.horizon))
    few = windows.thinned(max(1, min(_MOST_HELD_OUT, fit_in)))
    return [_Judged(*normalised(inputs), followed, known) for inputs, followed, known in few.batches(_BATCH)]


def _error(judged: Sequence[_Judged], weights: Floats, bias: Floats) -> float:
    total, count = 0.0, 0
    for batch in judged:
        steps = (batch.scaled.transpose(2, 0, 1) @ weights + bias[:, None]).transpose(1, 2, 0)
        squares = np.square(steps * batch.spread + batch.middle - batch.followed)
        total += float(squares[batch.known].sum())
        count += int(batch.known.sum())
    return total / max(count, 1)
