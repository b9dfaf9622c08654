"""A detector that learns nothing beforehand: it finds in the window itself whether what came last was there before.

Of each feature the newest few readings are held against every stretch of as many readings in the half window before:
the distance to the two nearest says how novel they are (the idea of conformal k-nearest-neighbour detectors: Burnaev
and Ishimtsev, "Conformalized density- and distance-based anomaly detection in time-series data", 2016). The same can be
said of every reading before, so the window also tells how novel readings usually are. The score is the newest novelty
in units of the one that a hundredth of the past readings exceed: above 1 is an anomaly, whatever the data. An anomaly
goes on for a while; so that it is one alarm and not hundreds, a reading scores below 1 when one of the twentieth of a
window before it was above.

Twice the same arithmetic: `write_streaming` as ONNX for workers, `streaming_scores` over a whole series for evaluation.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

STRETCH: Final = 6
"""Readings that are compared at once."""
NEAREST: Final = 2
RARE: Final = 0.01
"""Share of the past whose novelty is rare."""
DEFAULT_WINDOW: Final = 2000
FEWEST_READINGS: Final = 100
THRESHOLD: Final = 1.0
_QUIET: Final = 0.999
"""The most that a reading scores soon after an alarm."""
_FURTHEST: Final = 1e4
_LEAST: Final = 1e-3
"""Of the window's standard deviation: smaller novelties are none, so that a flat line makes no alarms of rounding."""
_BEYOND: Final = 1e30


def past_of(window: int) -> int:
    """Readings whose novelty is compared, and as many that each is compared with: half a window."""
    return (window - STRETCH) // 2


def quiet_of(window: int) -> int:
    """Readings after an alarm that are the same alarm: a twentieth of a window."""
    return window // 20


def rank_of(window: int) -> int:
    """How many of the past readings are rare."""
    return max(1, int(np.ceil(RARE * past_of(window))))


def streaming_scores(values: NDArray[np.float64], window: int) -> NDArray[np.float64]:
    """The score of every reading of a series, 0 before the first whole window.

    Args:
        values: (n,) one feature, without NaN.
        window: Readings that a worker's window holds.

    Returns:
        (n,) float64.
    """
    past, quiet, rank = past_of(window), quiet_of(window), rank_of(window)
    rows = len(values)
    scores = np.zeros(rows)
    if rows < window:
        return scores
    novelty = _novelty(values - values.mean(), past)
    for newest in range(window - 1, rows):
        least = _LEAST * values[newest - window + 1 : newest + 1].std()
        before = novelty[newest - past : newest]
        rare = np.partition(before, past - rank)[past - rank] + least
        score = min(novelty[newest] / rare, _FURTHEST) if rare > 0 else 0.0
        scores[newest] = score if before[past - quiet :].max() <= rare else min(score, _QUIET)
    return scores


def _novelty(values: NDArray[np.float64], past: int) -> NDArray[np.float64]:
    """(n,): of each reading, how far the stretch it ends is from its nearest in the past, root of the mean square."""
    stretches = np.lib.stride_tricks.sliding_window_view(values, STRETCH)
    novelty = np.zeros(len(values))
    for newest in range(past + STRETCH - 1, len(values)):
        place = newest - STRETCH + 1
        earlier = stretches[place - past : place - STRETCH + 1]
        distance = ((earlier - stretches[place]) ** 2).mean(axis=1)
        novelty[newest] = np.sqrt(np.partition(distance, NEAREST - 1)[:NEAREST].mean())
    return novelty


def write_streaming(file: Path, window: int, features: int) -> None:
    """Writes the detector as ONNX; takes no data.

    Args:
        file: To write.
        window: Readings, at least 100.
        features: Of a reading; each is looked at by itself, and the largest score counts.
    """
    from vss.training.anomaly.graph import GraphWriter, Judged

    writer = GraphWriter(window, features)
    flat = writer.op("Transpose", "window", perm=[0, 2, 1])
    series = writer.op("Reshape", flat, writer.constant([-1, window], np.int64))
    # One window of one feature after the other: the distances of all at once would take gigabytes.
    scores = writer.op("Scan", series, body=_one_series(window), num_scan_inputs=1)
    parts = writer.op("Reshape", scores, writer.constant([-1, features], np.int64))
    writer.write(Judged(writer.op("ReduceMax", parts, writer.axes(1), keepdims=0), parts), file)


def _one_series(window: int) -> Any:
    """(window,) to its score (), as the body of a `Scan`."""
    from onnx import TensorProto, helper

    from vss.training.anomaly.graph import GraphWriter

    past, quiet, rank = past_of(window), quiet_of(window), rank_of(window)
    stretches = window - STRETCH + 1
    writer = GraphWriter(window, 1, prefix="one/")
    op, axes, constant = writer.op, writer.axes, writer.constant
    centred = op("Sub", "series", op("ReduceMean", "series", axes(0), keepdims=1))
    spread = op("Sqrt", op("ReduceMean", op("Mul", centred, centred), axes(0), keepdims=1))
    scaled = op("Div", centred, op("Max", spread, constant([1e-30])))
    columns = [
        op("Unsqueeze", op("Slice", scaled, axes(start), axes(start + stretches), axes(0)), axes(1))
        for start in range(STRETCH)
    ]
    every = op("Concat", *columns, axis=1)  # (stretches, STRETCH)
    newest = op("Slice", every, axes(stretches - past - 1), axes(stretches), axes(0))  # (past + 1, STRETCH)
    squares = op("ReduceSum", op("Mul", every, every), axes(1), keepdims=0)
    own = op("ReduceSum", op("Mul", newest, newest), axes(1), keepdims=1)
    product = op("MatMul", newest, op("Transpose", every, perm=[1, 0]))
    distance = op("Sub", op("Add", own, squares), op("Mul", product, constant(2.0)))
    distance = op("Div", op("Max", distance, constant(0.0)), constant(float(STRETCH)))
    # Stretch j may be held against those that end before it begins and lie within its reach.
    place = constant(np.arange(stretches - past - 1, stretches)[:, None], np.int64)
    ago = op("Sub", place, constant(np.arange(stretches)[None], np.int64))
    near = op("Less", ago, constant(STRETCH, np.int64))
    far = op("Greater", ago, constant(past, np.int64))
    allowed = op("Where", op("Or", near, far), constant(_BEYOND), distance)
    nearest, _ = op("TopK", allowed, axes(NEAREST), axis=1, largest=0, outputs=2)
    novelty = op("Sqrt", op("ReduceMean", nearest, axes(1), keepdims=0))  # (past + 1,)
    before = op("Slice", novelty, axes(0), axes(past), axes(0))
    largest, _ = op("TopK", before, axes(rank), axis=0, outputs=2)
    rare = op("Add", op("Slice", largest, axes(rank - 1), axes(rank), axes(0)), constant([_LEAST]))
    last = op("Slice", novelty, axes(past), axes(past + 1), axes(0))
    score = op("Min", op("Div", last, rare), constant([_FURTHEST]))
    recent = op("ReduceMax", op("Slice", before, axes(past - quiet), axes(past), axes(0)), axes(0), keepdims=1)
    calm = op("LessOrEqual", recent, rare)
    judged = op("Where", calm, score, op("Min", score, constant([_QUIET])))
    result = op("Squeeze", judged, axes(0))
    return writer.body(
        [helper.make_tensor_value_info("series", TensorProto.FLOAT, [window])],
        [helper.make_tensor_value_info(result, TensorProto.FLOAT, [])],
    )
