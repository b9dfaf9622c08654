"""How the answers of each task are compared."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, Final

from vss.model_store.comparison.difference import Difference, Tally
from vss.model_store.evaluation.matching import match_boxes, same_class_name
from vss.schemas.events import ClassPrediction, DetectedObject

Compare = Callable[[Any, Any], Difference]
"""From the results of A and B for one picture to their difference."""

MATCH_IOU: Final = 0.5
"""Lowest overlap of two boxes that are the same: PASCAL VOC's, and the first of COCO's ten."""


@dataclass(frozen=True, slots=True)
class Comparing:
    """How two versions of one task are held against each other.

    Attributes:
        compare: Makes the difference.
        tell: Says for people what many of them come to.
        confidences: Whether what matches has a confidence.
    """

    compare: Compare
    tell: Callable[[Tally], str]
    confidences: bool


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


def _tell_objects(tally: Tally) -> str:
    return (
        f"{tally.matched} boxes matched, {tally.missed} missed by B, {tally.extra} only in B;"
        f" {tally.identical} frames without a difference"
    )


def _tell_predictions(tally: Tally) -> str:
    return f"the first class is the same in {tally.matched} frames and another in {tally.missed}"


def _tell_results(tally: Tally) -> str:
    return f"the result is equal in {tally.matched} frames and differs in {tally.missed}"


OBJECTS: Final = Comparing(compare_objects, _tell_objects, confidences=True)
PREDICTIONS: Final = Comparing(compare_predictions, _tell_predictions, confidences=True)
RESULTS: Final = Comparing(compare_results, _tell_results, confidences=False)
