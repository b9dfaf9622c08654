"""Mean average precision as COCO defines it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray

from vss.model_store.evaluation.matching import overlap
from vss.schemas.events import DetectedObject

THRESHOLDS: Final = tuple(float(t) for t in np.linspace(0.5, 0.95, 10))
# What it is measured with everywhere: every box counts, weighed by its confidence.
LOWEST_CONFIDENCE: Final = 0.001
SUPPRESSION_IOU: Final = 0.7
_RECALLS: Final = np.linspace(0, 1, 101)


@dataclass(frozen=True, slots=True)
class TrueBox:
    """A labelled object.

    Attributes:
        bbox: x1, y1, x2, y2 in pixels.
    """

    class_id: int
    bbox: tuple[float, float, float, float]


@dataclass(frozen=True, slots=True)
class Precision:
    """Means over the classes that are labelled.

    Attributes:
        map50: At an IoU of 0.5.
        map50_95: Over IoUs from 0.5 to 0.95 in steps of 0.05.
        classes: Labelled classes.
        objects: Labelled objects.
    """

    map50: float
    map50_95: float
    classes: int
    objects: int


def mean_average_precision(
    truth: Mapping[str, Sequence[TrueBox]], found: Mapping[str, Sequence[DetectedObject]]
) -> Precision:
    """Compares what was found with what is there.

    Args:
        truth: Labelled objects by picture.
        found: Found objects by picture; to be comparable they must reach down to low confidences.
    """
    class_ids = sorted({box.class_id for boxes in truth.values() for box in boxes})
    objects = sum(map(len, truth.values()))
    if not class_ids:
        return Precision(0.0, 0.0, 0, 0)
    precisions = np.array([_of_class(class_id, truth, found) for class_id in class_ids])
    return Precision(float(precisions[:, 0].mean()), float(precisions.mean()), len(class_ids), objects)


def _of_class(
    class_id: int, truth: Mapping[str, Sequence[TrueBox]], found: Mapping[str, Sequence[DetectedObject]]
) -> list[float]:
    """Average precision of one class at each threshold."""
    scores: list[float] = []
    hits: list[NDArray[np.bool_]] = []
    positives = 0
    for picture, labelled in truth.items():
        boxes = np.array([box.bbox for box in labelled if box.class_id == class_id]).reshape(-1, 4)
        ours = sorted((o for o in found[picture] if o.class_id == class_id), key=lambda o: -o.confidence)
        positives += len(boxes)
        scores += [o.confidence for o in ours]
        hits.append(_hits(np.array([o.bbox for o in ours]).reshape(-1, 4), boxes))
    hit = np.concatenate(hits)[np.argsort(-np.array(scores), kind="stable")]
    return [_area(hit[:, i], positives) for i in range(len(THRESHOLDS))]


def _hits(ours: NDArray[np.float64], boxes: NDArray[np.float64]) -> NDArray[np.bool_]:
    """Which of our boxes, most confident first, is the first to find a labelled one; shape (ours, thresholds)."""
    overlaps = overlap(ours, boxes)
    hits = np.zeros((len(ours), len(THRESHOLDS)), bool)
    for i, threshold in enumerate(THRESHOLDS):
        left = overlaps.copy()
        for j in range(len(ours)):
            if left.shape[1] and left[j].max() >= threshold:
                hits[j, i] = True
                left[:, left[j].argmax()] = -1
    return hits


def _area(hits: NDArray[np.bool_], positives: int) -> float:
    """Area under the curve of precision over recall, at COCO's 101 recalls."""
    found = np.cumsum(hits)
    precision = found / np.arange(1, len(hits) + 1)
    # Precision at a recall is the best at that recall or beyond.
    best = np.maximum.accumulate(precision[::-1])[::-1]
    at = np.searchsorted(found / positives, _RECALLS, side="left")
    return float(np.where(at < len(best), np.append(best, 0.0)[np.minimum(at, len(best))], 0.0).mean())
