from __future__ import annotations

import itertools

import numpy as np
import pytest

from vss.model_store.drawing.boxes import draw_objects
from vss.model_store.drawing.style import Colour, class_colour, text_colour
from vss.schemas.events import DetectedObject


def found(x1: float, y1: float, x2: float, y2: float, class_id: int = 0, confidence: float = 0.9) -> DetectedObject:
    return DetectedObject(
        class_=f"thing{class_id}",
        class_id=class_id,
        confidence=confidence,
        bbox=(x1, y1, x2, y2),
        center=((x1 + x2) / 2, (y1 + y2) / 2),
    )


def grey(width: int = 400, height: int = 300) -> np.ndarray[tuple[int, ...], np.dtype[np.uint8]]:
    return np.full((height, width, 3), 128, np.uint8)


def contrast(one: Colour, other: Colour) -> float:
    """WCAG 2.1's contrast ratio, from its definition."""

    def luminance(colour: Colour) -> float:
        linear = [c / 255 / 12.92 if c / 255 <= 0.04045 else ((c / 255 + 0.055) / 1.055) ** 2.4 for c in colour]
        return 0.0722 * linear[0] + 0.7152 * linear[1] + 0.2126 * linear[2]

    lighter, darker = sorted((luminance(one), luminance(other)), reverse=True)
    return (lighter + 0.05) / (darker + 0.05)


def test_the_picture_that_is_given_stays_as_it_is() -> None:
    image = grey()
    image.setflags(write=False)

    drawn = draw_objects(image, [found(50, 60, 200, 250)])

    assert (image == 128).all()
    assert drawn.shape == image.shape
    assert (drawn != image).any()


def test_a_picture_without_objects_comes_back_unchanged() -> None:
    assert (draw_objects(grey(), []) == grey()).all()


def test_a_box_is_drawn_in_its_class_colour_at_its_place_and_nowhere_else() -> None:
    drawn = draw_objects(grey(), [found(100, 100, 300, 250, class_id=3)])

    for x, y in ((100, 175), (300, 175), (200, 250)):
        assert tuple(drawn[y, x]) == class_colour(3)
    assert (drawn[110:240, 110:290] == 128).all()
    assert (drawn[260:, :] == 128).all()
    assert (drawn[:70, :] == 128).all()


def test_the_label_lies_above_its_box_on_the_class_colour() -> None:
    drawn = draw_objects(grey(), [found(100, 100, 300, 250, class_id=3)])

    band = drawn[85:97, 100:160].reshape(-1, 3)
    assert (band == class_colour(3)).all(axis=1).mean() > 0.4
    assert (np.abs(band.astype(int) - text_colour(class_colour(3))).max(axis=1) < 60).any()


@pytest.mark.parametrize(
    "bbox",
    [(0, 0, 400, 300), (0, 0, 5, 5), (395, 0, 400, 5), (395, 295, 400, 300), (0, 295, 5, 300), (-50, -50, 500, 500)],
)
def test_a_label_is_whole_within_the_picture_wherever_the_box_is(bbox: tuple[float, float, float, float]) -> None:
    in_the_middle = label_pixels(draw_objects(grey(), [found(150, 150, 160, 160)]))
    at_the_edge = label_pixels(draw_objects(grey(), [found(*bbox)]))

    # Its own box's lines may cover a part of the label's surroundings, never of the label.
    assert at_the_edge >= in_the_middle * 0.95


def label_pixels(drawn: np.ndarray[tuple[int, ...], np.dtype[np.uint8]]) -> int:
    return int((np.abs(drawn.astype(int) - text_colour(class_colour(0))).max(axis=2) < 40).sum())


def test_labels_of_boxes_one_over_the_other_do_not_cover_each_other() -> None:
    one = label_pixels(draw_objects(grey(), [found(100, 100, 300, 250)]))
    two = label_pixels(draw_objects(grey(), [found(100, 100, 300, 250), found(101, 101, 301, 251, confidence=0.9)]))

    assert two >= 1.9 * one


def test_the_most_confident_is_drawn_over_the_others_in_whatever_order_they_come() -> None:
    objects = [found(50, 50, 200, 200, 0, 0.5), found(50, 50, 200, 200, 1, 0.9), found(50, 50, 200, 200, 2, 0.7)]

    for order in itertools.permutations(objects):
        assert tuple(draw_objects(grey(), list(order))[125, 200]) == class_colour(1)


def test_lines_and_text_grow_with_the_picture() -> None:
    def line_pixels(scale: int) -> int:
        drawn = draw_objects(grey(400 * scale, 300 * scale), [found(50, 100, 300 * scale, 280 * scale)])
        row = drawn[200 * scale, 250 * scale :]
        return int((row != 128).any(axis=1).sum())

    assert line_pixels(1) < line_pixels(3) < line_pixels(8)


@pytest.mark.parametrize(("width", "height"), [(1, 1), (8, 500), (500, 8), (16, 16)])
def test_a_tiny_picture_is_drawn_on_without_complaint(width: int, height: int) -> None:
    assert draw_objects(grey(width, height), [found(0, 0, width, height)]).shape == (height, width, 3)


def test_neighbouring_classes_have_colours_far_apart_and_a_class_keeps_its_own() -> None:
    for class_id in range(100):
        one, other = class_colour(class_id), class_colour(class_id + 1)
        assert max(abs(a - b) for a, b in zip(one, other, strict=True)) > 80
        assert class_colour(class_id) == one
    assert len({class_colour(class_id) for class_id in range(80)}) == 80


def test_text_can_be_read_on_every_class_colour() -> None:
    for class_id in range(200):
        colour = class_colour(class_id)
        # 4.5 is what WCAG asks of text.
        assert contrast(text_colour(colour), colour) >= 4.5
