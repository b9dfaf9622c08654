"""Lines of text at the top left of a picture: what it shows as a whole."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

import cv2
import numpy as np

from vss.codecs.images import Image
from vss.model_store.drawing.style import Colour, Style, class_colour, text_size, write
from vss.schemas.events import ClassPrediction

_DARK: Final[Colour] = (32, 32, 32)
_MOST_LETTERS: Final = 60


def draw_predictions(image: Image, predictions: Sequence[ClassPrediction]) -> Image:
    """A copy of the picture with a line for each class, the most confident first and in its colour.

    Args:
        image: (H, W, 3) BGR.
        predictions: The most confident first; as many are drawn as fit.
    """
    lines = [f"{one.class_} {one.confidence:.1%}" for one in predictions]
    colours = [class_colour(one.class_id) if i == 0 else _DARK for i, one in enumerate(predictions)]
    return draw_lines(image, lines, colours)


def draw_lines(image: Image, lines: Sequence[str], backgrounds: Sequence[Colour] = ()) -> Image:
    """A copy of the picture with lines of text; as many as fit, and always the first.

    Args:
        image: (H, W, 3) BGR.
        lines: What is written.
        backgrounds: Behind each line; dark by default.
    """
    drawn = np.ascontiguousarray(image).copy()
    height, width = drawn.shape[:2]
    style = Style.of(width, height)
    top = 0
    for i, line in enumerate(lines):
        text = line if len(line) <= _MOST_LETTERS else line[: _MOST_LETTERS - 1] + "~"
        text_width, text_height, baseline = text_size(text, style)
        bottom = top + text_height + baseline + style.padding
        if i and bottom > height:
            break
        background = backgrounds[i] if i < len(backgrounds) else _DARK
        right = text_width + 2 * style.padding
        cv2.rectangle(drawn, (0, top), (right - 1, bottom - 1), background, cv2.FILLED)
        write(drawn, text, (style.padding, bottom - baseline - style.padding // 2), background, style)
        top = bottom
    return drawn
