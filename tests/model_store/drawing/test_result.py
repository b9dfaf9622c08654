"""One entry draws what any task finds."""

from dataclasses import replace
from typing import Any

import numpy as np
import pytest

from tests.model_store.drawing.test_boxes import found, grey
from vss.model_store.drawing.boxes import draw_objects
from vss.model_store.drawing.result import draw_result
from vss.model_store.drawing.style import class_colour
from vss.schemas.events import ClassPrediction, ObjectClassification


def prediction(class_id: int, confidence: float) -> ClassPrediction:
    return ClassPrediction(class_=f"thing{class_id}", class_id=class_id, confidence=confidence)


def test_objects_become_boxes() -> None:
    one = found(100, 100, 300, 250)
    assert (draw_result(grey(), (one,)) == draw_objects(grey(), [one])).all()


def test_nothing_is_drawn_where_nothing_was_found() -> None:
    assert (draw_result(grey(), ()) == grey()).all()


def test_what_a_second_model_says_stands_beside_the_object() -> None:
    one = found(100, 100, 300, 250)
    said = ObjectClassification(predictions=(prediction(1, 0.5),), model_name="m", model_version="1", inference_time=0)
    alone, both = (draw_result(grey(), (drawn,)) for drawn in (one, replace(one, classification=said)))
    widths = [int((image[:100] != 128).any(axis=(0, 2)).sum()) for image in (alone, both)]
    assert widths[1] > 1.7 * widths[0]
    assert (alone[110:] == both[110:]).all()


def test_classes_become_a_banner_with_the_first_in_its_colour() -> None:
    one_line = draw_result(grey(), (prediction(3, 0.9),))
    three = draw_result(grey(), tuple(prediction(i, 0.9 / (i + 1)) for i in (3, 1, 2)))
    assert tuple(one_line[0, 0]) == tuple(three[0, 0]) == class_colour(3)
    heights = [int((image != 128).any(axis=(1, 2)).sum()) for image in (one_line, three)]
    assert heights[1] == 3 * heights[0]
    assert (one_line[100:] == 128).all()


@pytest.mark.parametrize("size", [(32, 32), (8, 8), (40, 20)])
def test_a_thumbnail_gets_the_lines_that_fit(size: tuple[int, int]) -> None:
    drawn = draw_result(grey(*size), tuple(prediction(i, 0.1) for i in range(9)))
    assert drawn.shape == (size[1], size[0], 3)
    assert (drawn != 128).any()


def test_values_of_another_task_become_lines() -> None:
    image: Any = grey()
    image.setflags(write=False)
    few = draw_result(image, {"brightness": 0.123456})
    many = draw_result(image, {"brightness": 0.123456, "words": "x" * 500})
    assert (few != 128).any()
    assert np.count_nonzero(many != 128) > np.count_nonzero(few != 128)
