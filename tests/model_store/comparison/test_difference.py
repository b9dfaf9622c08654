from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.model_store.comparison.makers import objects, predictions, thing
from vss.model_store.comparison.difference import Tally
from vss.model_store.comparison.tasks import (
    OBJECTS,
    PREDICTIONS,
    RESULTS,
    compare_objects,
    compare_predictions,
    compare_results,
    only_one_answered,
)
from vss.model_store.tasks.detection.task import load_detection
from vss.model_store.tasks.registry import task_kind
from vss.model_store.tasks.task import TaskKind
from vss.schemas.events import DetectedObject

Objects = tuple[DetectedObject, ...]


@given(objects)
def test_a_version_agrees_with_itself_wholly(found: Objects) -> None:
    difference = compare_objects(found, found)
    assert (difference.agreement, difference.differing, difference.largest_delta) == (1.0, 0, 0.0)


@given(objects, objects)
def test_which_version_is_which_changes_no_agreement(a: Objects, b: Objects) -> None:
    forth, back = compare_objects(a, b), compare_objects(b, a)
    assert forth.agreement == back.agreement
    assert (set(forth.missed), set(forth.extra)) == (set(back.extra), set(back.missed))
    assert sorted(forth.deltas) == pytest.approx(sorted(-delta for delta in back.deltas))


@given(objects, objects)
def test_every_box_is_counted_once(a: Objects, b: Objects) -> None:
    difference = compare_objects(a, b)
    assert difference.matched + len(difference.missed) == len(a)
    assert difference.matched + len(difference.extra) == len(b)
    assert len(set(difference.missed)) == len(difference.missed)
    assert set(difference.missed) <= set(range(len(a)))
    assert set(difference.extra) <= set(range(len(b)))
    assert len(difference.deltas) == difference.matched
    assert 0 <= difference.agreement <= 1


@given(objects)
def test_a_version_that_finds_less_agrees_less(found: Objects) -> None:
    left, agreements = list(found), []
    while left:
        agreements.append(compare_objects(found, left).agreement)
        left.pop()
    agreements.append(compare_objects(found, left).agreement)
    assert agreements == sorted(agreements, reverse=True)
    assert len(set(agreements)) == len(agreements)


def test_two_boxes_of_another_class_or_place_do_not_match() -> None:
    assert compare_objects((thing(),), (thing(class_id=1),)).agreement == 0.0
    # IoU 1/2 is the same object, a little less is not.
    assert compare_objects((thing(),), (thing(height=5),)).agreement == 1.0
    assert compare_objects((thing(),), (thing(height=4.9),)).agreement == 0.0


def test_classes_are_told_apart_by_name_for_versions_may_number_them_differently() -> None:
    renumbered = DetectedObject(class_="bolt", class_id=2, confidence=0.9, bbox=thing().bbox, center=thing().center)
    assert compare_objects((thing(),), (renumbered,)).agreement == 1.0


def test_a_missed_and_an_extra_box_are_named_with_the_difference_of_what_matched() -> None:
    a = (thing(confidence=0.9), thing(100))
    b = (thing(200), thing(1, confidence=0.6))
    difference = compare_objects(a, b)
    assert (difference.matched, difference.missed, difference.extra) == (1, (1,), (0,))
    assert difference.deltas == pytest.approx((-0.3,))
    assert difference.agreement == pytest.approx(0.5)


def test_a_classification_agrees_when_its_first_class_does() -> None:
    same = compare_predictions(predictions("cat", "dog"), predictions("cat", "bird", confidence=0.5))
    assert (same.matched, same.differing) == (1, 0)
    assert same.deltas == pytest.approx((-0.3,))
    other = compare_predictions(predictions("cat", "dog"), predictions("dog", "cat"))
    assert (other.matched, other.missed, other.extra, other.agreement) == (0, (0,), (0,), 0.0)


def test_results_of_a_task_of_ones_own_are_equal_or_not() -> None:
    assert compare_results({"count": 3}, {"count": 3}).agreement == 1.0
    assert compare_results({"count": 3}, {"count": 4}).agreement == 0.0
    assert TaskKind("colours", load_detection).comparing is RESULTS
    assert RESULTS.compare is compare_results
    assert (task_kind("detection").comparing, task_kind("classification").comparing) == (OBJECTS, PREDICTIONS)


def test_a_version_that_fails_does_not_agree_even_with_one_that_finds_nothing() -> None:
    assert compare_objects((), ()).agreement == 1.0
    assert only_one_answered().agreement == 0.0


@given(st.lists(st.tuples(objects, objects), max_size=5))
def test_a_tally_is_the_agreement_of_all_findings_together(pairs: list[tuple[Objects, Objects]]) -> None:
    tally = Tally()
    for a, b in pairs:
        tally.add(compare_objects(a, b))
    assert tally.pictures == len(pairs)
    assert tally.findings == sum(len(a) + len(b) for a, b in pairs)
    assert tally.agreement == (2 * tally.matched / tally.findings if tally.findings else 1.0)
    assert abs(tally.mean_delta) <= tally.mean_distance + 1e-9
    assert tally.mean_distance <= tally.largest_delta + 1e-9
