"""What a detector's output means: one function for each layout, from raw numbers to candidate boxes.

Every function takes the output for one image and the lowest confidence, and keeps only what reaches it before anything
is computed for a box: of thousands of rows a few dozen are left. Scores that are no numbers are an inference that
failed: they reach no confidence, and would pass for a picture with nothing in it.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Final, Literal

import numpy as np
from numpy.typing import NDArray

from vss.errors import InferenceFailed

HeadName = Literal["yolov5", "yolov8", "yolox", "end_to_end"]
Floats = NDArray[np.float32]

YOLOX_STRIDES: Final = (8, 16, 32)


@dataclass(frozen=True, slots=True)
class Candidates:
    """Boxes before suppression.

    Attributes:
        boxes: Shape (n, 4), float32: x1, y1, x2, y2 in pixels of the input.
        scores: Shape (n,), float32, 0..1.
        class_ids: Shape (n,), integers.
    """

    boxes: Floats
    scores: Floats
    class_ids: NDArray[np.intp]

    def take(self, which: NDArray[np.intp] | NDArray[np.bool_]) -> Candidates:
        """Those at these indices or under this mask."""
        return Candidates(self.boxes[which], self.scores[which], self.class_ids[which])


Head = Callable[[Floats, float], Candidates]


def yolov8(output: Floats, confidence: float) -> Candidates:
    """YOLOv8 and later by Ultralytics.

    Args:
        output: Shape (4 + classes, anchors): centre x, centre y, width, height in pixels, then class scores 0..1.
        confidence: Lowest score.
    """
    scores = output[4:]
    best = _numbers(scores.max(axis=0))
    kept = np.flatnonzero(best >= confidence)
    class_ids = scores[:, kept].argmax(axis=0)
    return Candidates(_corners(output[:4, kept].T), best[kept], class_ids)


def yolov5(output: Floats, confidence: float) -> Candidates:
    """YOLOv5 and YOLOv7, and YOLOX where decoding is part of the model.

    Args:
        output: Shape (anchors, 5 + classes): centre x, centre y, width, height in pixels, objectness, class scores.
        confidence: Lowest objectness times class score.
    """
    rows, scores, class_ids, _ = _by_objectness(output, confidence)
    return Candidates(_corners(rows[:, :4]), scores, class_ids)


def yolox(input_wh: tuple[int, int]) -> Head:
    """YOLOX as its authors export it: offsets from a grid of three strides.

    Centre = (offset + cell) · stride and size = exp(offset) · stride (Megvii YOLOX, `YOLOXHead.decode_outputs`).

    Args:
        input_wh: Width and height of the input, pixels.

    Returns:
        A head for outputs of shape (anchors, 5 + classes), objectness and class scores 0..1.
    """
    cells, strides = _yolox_grid(input_wh)

    def head(output: Floats, confidence: float) -> Candidates:
        rows, scores, class_ids, kept = _by_objectness(output, confidence)
        stride = strides[kept]
        centers = (rows[:, :2] + cells[kept]) * stride
        # A wild row must not become infinite; nothing is larger than 2^12 cells.
        sizes = np.exp(np.minimum(rows[:, 2:4], 12 * np.log(2))) * stride
        return Candidates(_corners(np.hstack([centers, sizes])), scores, class_ids)

    return head


def end_to_end(output: Floats, confidence: float) -> Candidates:
    """Models that end in their own suppression.

    Args:
        output: Shape (boxes, 6): x1, y1, x2, y2 in pixels, score, class id.
        confidence: Lowest score.
    """
    rows = output[_numbers(output[:, 4]) >= confidence]
    return Candidates(rows[:, :4], rows[:, 4], rows[:, 5].astype(np.intp))


def make_head(name: HeadName, input_wh: tuple[int, int]) -> Head:
    """The head of that name for an input of that size."""
    simple: Mapping[str, Head] = {"yolov5": yolov5, "yolov8": yolov8, "end_to_end": end_to_end}
    return yolox(input_wh) if name == "yolox" else simple[name]


def anchors(input_wh: tuple[int, int], strides: tuple[int, ...] = YOLOX_STRIDES) -> int:
    """Cells of all grids together: rows of a model with one anchor a cell."""
    return sum((input_wh[0] // stride) * (input_wh[1] // stride) for stride in strides)


def _by_objectness(output: Floats, confidence: float) -> tuple[Floats, Floats, NDArray[np.intp], NDArray[np.intp]]:
    """Rows, scores, class ids and indices of what reaches the confidence.

    A score is objectness times class score, and no class score is above 1: what fails by its objectness alone is left
    out before the classes are looked at.
    """
    likely = np.flatnonzero(_numbers(output[:, 4]) >= confidence)
    rows = output[likely]
    class_scores = rows[:, 5:]
    class_ids = class_scores.argmax(axis=1)
    scores = rows[:, 4] * _numbers(np.take_along_axis(class_scores, class_ids[:, None], axis=1)[:, 0])
    kept = scores >= confidence
    return rows[kept], scores[kept], class_ids[kept], likely[kept]


def _numbers(scores: Floats) -> Floats:
    """The scores; a maximum of some is NaN when one of them is."""
    if not np.isfinite(scores).all():
        raise InferenceFailed("the model put out scores that are no numbers (NaN or infinite)")
    return scores


def _corners(boxes: Floats) -> Floats:
    """Centre x, centre y, width, height → x1, y1, x2, y2; shape (n, 4)."""
    half = boxes[:, 2:] * np.float32(0.5)
    return np.hstack([boxes[:, :2] - half, boxes[:, :2] + half])


def _yolox_grid(input_wh: tuple[int, int]) -> tuple[Floats, Floats]:
    """Cell of each row, shape (anchors, 2) as x, y; and its stride, shape (anchors, 1)."""
    cells, strides = [], []
    for stride in YOLOX_STRIDES:
        columns, rows = input_wh[0] // stride, input_wh[1] // stride
        x, y = np.meshgrid(np.arange(columns), np.arange(rows))
        cells.append(np.stack([x.ravel(), y.ravel()], axis=1))
        strides.append(np.full((columns * rows, 1), stride))
    return np.concatenate(cells).astype(np.float32), np.concatenate(strides).astype(np.float32)
