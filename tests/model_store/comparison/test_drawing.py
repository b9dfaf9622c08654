from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from tests.model_store.comparison.makers import predictions, thing
from vss.model_store.comparison.drawing import _EXTRA, _MISSED, draw_side_by_side
from vss.model_store.comparison.tasks import OBJECTS, PREDICTIONS, RESULTS, Comparing, only_one_answered
from vss.model_store.comparison.worst import Example, Place

GREY = np.full((300, 600, 3), 128, np.uint8)


def draw(comparing: Comparing, a: Any, b: Any, image: Any = GREY) -> Any:
    difference = comparing.compare(a, b)
    return draw_side_by_side(Example(Place("a.jpg"), image, a, b, difference), ("A gate@3", "B gate@4"))


def has(image: Any, colour: tuple[int, int, int]) -> bool:
    return bool((image == colour).all(axis=2).any())


def halves(drawn: Any) -> tuple[Any, Any]:
    middle = drawn.shape[1] // 2
    # Without bars, whose text has the same colours.
    return drawn[34:334, : middle - 3], drawn[34:334, middle + 3 :]


def test_what_one_version_misses_is_outlined_on_both_sides() -> None:
    left, right = halves(draw(OBJECTS, (thing(50, 50, 80, 80), thing(300, 50, 80, 80)), (thing(50, 50, 80, 80),)))
    assert has(left, _MISSED)
    assert has(right, _MISSED)
    assert not has(left, _EXTRA)
    # Whole on the side that has it, dashed where it is missing.
    assert (left == _MISSED).all(axis=2).sum() > 1.5 * (right == _MISSED).all(axis=2).sum()


def test_what_only_the_second_version_finds_has_another_colour() -> None:
    left, right = halves(draw(OBJECTS, (), (thing(300, 50, 80, 80, class_id=2),)))
    assert has(right, _EXTRA)
    assert has(left, _EXTRA)
    assert not has(left, _MISSED)


def test_where_both_find_the_same_nothing_is_highlighted() -> None:
    drawn = draw(OBJECTS, (thing(50, 50, 80, 80),), (thing(52, 50, 80, 80),))
    assert not has(drawn, _MISSED)
    assert not has(drawn, _EXTRA)


@pytest.mark.parametrize(
    ("comparing", "a", "b"),
    [
        (PREDICTIONS, predictions("cat", "dog"), predictions("dog", "cat")),
        (RESULTS, {"red": 0.2, "what": ["x" * 300]}, {"red": 0.3}),
    ],
)
def test_what_has_no_box_is_written_below_the_picture(comparing: Comparing, a: Any, b: Any) -> None:
    drawn = draw(comparing, a, b)
    assert drawn.shape[0] > 300 + 2 * 34
    assert has(drawn[334:], _MISSED)
    assert np.array_equal(drawn[34:334, :600], GREY)


def test_a_version_that_failed_says_so() -> None:
    example = Example(Place("a.jpg"), GREY, (thing(50, 50),), None, only_one_answered())
    drawn = draw_side_by_side(example, ("A", "B"))
    assert has(drawn[:34, 603:], _EXTRA)


@pytest.mark.parametrize("shape", [(32, 32), (2160, 3840), (1, 7), (900, 5)])
def test_any_size_of_picture_can_be_drawn(shape: tuple[int, int]) -> None:
    image = np.zeros((*shape, 3), np.uint8)
    drawn = draw(OBJECTS, (thing(0, 0, shape[1], shape[0]),), (), image)
    assert drawn.shape[1] in (2 * 560 + 6, 2 * 960 + 6)
    assert drawn.shape[0] <= 960 + 2 * 34
