"""Draws objects into a picture: a box each, what it is, and what a second model says it is."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import cv2
import numpy as np

from vss.codecs.images import Image
from vss.model_store.drawing.style import Colour, Style, class_colour, text_size, write
from vss.schemas.events import DetectedObject


@dataclass(frozen=True, slots=True)
class _Box:
    """Pixels; x2 and y2 lie outside."""

    x1: int
    y1: int
    x2: int
    y2: int

    def overlaps(self, other: _Box) -> bool:
        return self.x1 < other.x2 and other.x1 < self.x2 and self.y1 < other.y2 and other.y1 < self.y2


@dataclass(frozen=True, slots=True)
class _Label:
    """A text, its background and where both go.

    Attributes:
        baseline: Pixels from the text's baseline to its lowest point.
    """

    text: str
    place: _Box
    baseline: int
    background: Colour

    @classmethod
    def of(cls, one: DetectedObject, style: Style, image_wh: tuple[int, int], placed: Sequence[_Label]) -> _Label:
        text = f"{one.class_} {one.confidence:.0%}"
        if one.classification is not None:
            first = one.classification.predictions[0]
            text += f": {first.class_} {first.confidence:.0%}"
        width, height, baseline = text_size(text, style)
        label_wh = width + 2 * style.padding, height + baseline + style.padding
        taken = [label.place for label in placed]
        place = _place_label(one, label_wh, image_wh, style.line, taken)
        return cls(text, place, baseline, class_colour(one.class_id))

    def draw(self, image: Image, style: Style) -> None:
        place = self.place
        cv2.rectangle(image, (place.x1, place.y1), (place.x2 - 1, place.y2 - 1), self.background, cv2.FILLED)
        origin = (place.x1 + style.padding, place.y2 - self.baseline - style.padding // 2)
        write(image, self.text, origin, self.background, style)


def draw_objects(image: Image, objects: Sequence[DetectedObject]) -> Image:
    """A copy of the picture with a box, the class and the confidence of each object, and a second model's word.

    Args:
        image: (H, W, 3) BGR.
        objects: In pixels of that picture. The most confident are drawn last, over the others; labels over all boxes.
    """
    drawn = np.ascontiguousarray(image).copy()
    height, width = drawn.shape[:2]
    style = Style.of(width, height)
    ordered = sorted(objects, key=lambda one: one.confidence)
    for one in ordered:
        x1, y1, x2, y2 = (round(value) for value in one.bbox)
        cv2.rectangle(drawn, (x1, y1), (x2, y2), class_colour(one.class_id), style.line)
    # The most confident chooses its place first, and is drawn last, over those that found no room.
    labels: list[_Label] = []
    for one in reversed(ordered):
        labels.append(_Label.of(one, style, (width, height), labels))
    for label in reversed(labels):
        label.draw(drawn, style)
    return drawn


def _place_label(
    one: DetectedObject, label_wh: tuple[int, int], image_wh: tuple[int, int], line: int, taken: Sequence[_Box]
) -> _Box:
    """The first free place that lies in the picture: above the box, in it, below it; above it when none is free."""
    x1, y1, _, y2 = (round(value) for value in one.bbox)
    half = line // 2
    width, height = label_wh
    left = min(max(x1 - half, 0), max(image_wh[0] - width, 0))
    tops = (y1 - half - height, y1 - half, y2 - half - height, y2 + half)
    within = [top for top in tops if 0 <= top <= image_wh[1] - height]
    places = [_Box(left, top, left + width, top + height) for top in within or [0]]
    free = (place for place in places if not any(place.overlaps(other) for other in taken))
    return next(free, places[0])
