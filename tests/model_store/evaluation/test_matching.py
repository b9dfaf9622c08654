from unittest.mock import patch

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from vss.model_store.evaluation import matching
from vss.model_store.evaluation.average_precision import TrueBox, mean_average_precision
from vss.model_store.evaluation.matching import agree, match_boxes, overlap
from vss.schemas.events import DetectedObject

Box = tuple[float, float, float, float]
UNIT: Box = (0, 0, 10, 10)


def thing(bbox: Box = UNIT, confidence: float = 0.9, class_id: int = 0) -> DetectedObject:
    center = ((bbox[0] + bbox[2]) / 2, (bbox[1] + bbox[3]) / 2)
    return DetectedObject(class_="c", class_id=class_id, confidence=confidence, bbox=bbox, center=center)


def test_overlap_is_what_is_shared_of_both_together() -> None:
    found = overlap(np.array([[0.0, 0, 10, 10]]), np.array([[0.0, 0, 10, 10], [5, 0, 15, 10], [20, 20, 30, 30]]))
    assert found.tolist() == [[1.0, pytest.approx(1 / 3), 0.0]]


@pytest.mark.parametrize(
    "other",
    [thing(confidence=0.88), thing(class_id=1), thing((0, 0, 10, 9))],
    ids=["another confidence", "another class", "another place"],
)
def test_a_box_that_differs_is_missed_and_extra(other: DetectedObject) -> None:
    result = agree({"a": [thing()]}, {"a": [other]}, iou=0.95, confidence=0.01)
    assert (result.matched, result.extra) == (0, 1)
    assert (result.matched_share, result.extra_share) == (0.0, 1.0)


def test_a_box_is_matched_once_only() -> None:
    result = agree({"a": [thing(), thing()]}, {"a": [thing()]}, iou=0.99, confidence=0.01)
    assert (result.reference, result.matched, result.extra) == (2, 1, 0)


def test_boxes_of_other_pictures_do_not_match() -> None:
    result = agree({"a": [thing()], "b": []}, {"a": [], "b": [thing()]}, iou=0.99, confidence=0.01)
    assert (result.matched, result.extra) == (0, 1)


@given(
    st.integers(1, 5).flatmap(
        lambda n: st.lists(st.lists(st.booleans(), min_size=n, max_size=n), min_size=1, max_size=5)
    )
)
def test_boxes_that_overlap_alike_are_matched_the_same_from_either_side(alike: list[list[bool]]) -> None:
    overlaps = np.array(alike) * 0.8
    ours, theirs = ([thing()] * n for n in overlaps.shape)
    with patch.object(matching, "overlap", lambda *_: overlaps):
        forth = match_boxes(ours, theirs, iou=0.5)
    with patch.object(matching, "overlap", lambda *_: overlaps.T):
        back = match_boxes(theirs, ours, iou=0.5)
    assert sorted((j, i) for i, j in forth.pairs) == list(back.pairs)
    assert (forth.missed, forth.extra) == (back.extra, back.missed)


def test_finding_everything_exactly_is_a_precision_of_one() -> None:
    truth = {"a": [TrueBox(0, UNIT), TrueBox(1, (20, 20, 40, 40))]}
    found = {"a": (thing(), thing((20, 20, 40, 40), class_id=1))}
    result = mean_average_precision(truth, found)
    assert (result.map50, result.map50_95, result.classes, result.objects) == (1.0, 1.0, 2, 2)


def test_finding_nothing_is_a_precision_of_zero() -> None:
    assert mean_average_precision({"a": [TrueBox(0, UNIT)]}, {"a": ()}).map50 == 0.0


def test_half_of_the_objects_are_half_of_the_recalls() -> None:
    truth = {"a": [TrueBox(0, UNIT), TrueBox(0, (50, 50, 60, 60))]}
    # 51 of the 101 recalls, 0 to 0.5, are reached, all at full precision.
    assert mean_average_precision(truth, {"a": (thing(),)}).map50 == pytest.approx(51 / 101)


def test_a_confident_wrong_box_costs_precision_and_a_hesitant_one_does_not() -> None:
    truth = {"a": [TrueBox(0, UNIT)]}
    wrong: Box = (50, 50, 60, 60)
    confident = mean_average_precision(truth, {"a": (thing(), thing(wrong, 0.95))})
    hesitant = mean_average_precision(truth, {"a": (thing(), thing(wrong, 0.1))})
    assert (confident.map50, hesitant.map50) == (0.5, 1.0)


def test_a_box_of_an_iou_of_three_quarters_counts_at_half_of_the_thresholds() -> None:
    result = mean_average_precision({"a": [TrueBox(0, UNIT)]}, {"a": (thing((0, 0, 10, 7.6)),)})
    # 0.50, 0.55, 0.60, 0.65, 0.70 and 0.75.
    assert result.map50 == 1.0
    assert result.map50_95 == pytest.approx(0.6)
