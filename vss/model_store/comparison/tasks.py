"""How the answers of each task are compared."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any, Final

from vss.model_store.comparison.difference import Difference
from vss.model_store.evaluation.matching import match_boxes, same_class_name
from vss.schemas.events import ClassPrediction, DetectedObject

Compare = Callable[[Any, Any], Difference]
"""From the results of A and B for one picture to their difference."""

MATCH_IOU: Final = 0.5
"""Lowest overlap of two boxes that are the same: PASCAL VOC's, and the first of COCO's ten."""


def compare_of(task: str) -> Compare:
    """How results of a task are compared; those of a task of one's own are equal or not."""
    return _TASKS.get(task, compare_results)


def compare_objects(a: Sequence[DetectedObject], b: Sequence[DetectedObject]) -> Difference:
    """Objects are the same when they have one class, by its name, and overlap by an IoU of at least 0.5."""
    matching = match_boxes(a, b, iou=MATCH_IOU, same=same_class_name)
    deltas = tuple(b[j].confidence - a[i].confidence for i, j in matching.pairs)
    return Difference(len(matching.pairs), matching.missed, matching.extra, deltas)


def compare_predictions(a: Sequence[ClassPrediction], b: Sequence[ClassPrediction]) -> Difference:
    """Pictures are classified alike when the first class is the same, by its name."""
    if a and b and a[0].class_ == b[0].class_:
        return Difference(1, deltas=(b[0].confidence - a[0].confidence,))
    return Difference(0, (0,) if a else (), (0,) if b else ())


def compare_results(a: Any, b: Any) -> Difference:
    """Results of a task of one's own are equal, or they differ as a whole."""
    return Difference(1) if a == b else Difference(0, (0,), (0,))


def only_one_answered() -> Difference:
    """One version failed on the picture, or both: that is no agreement, whatever the other found."""
    return Difference(0, (0,), (0,))


_TASKS: Final[Mapping[str, Compare]] = {"detection": compare_objects, "classification": compare_predictions}
