"""Colours, sizes and letters of what is drawn."""

from __future__ import annotations

import colorsys
from dataclasses import dataclass
from typing import Final

import cv2

from vss.codecs.images import Image

Colour = tuple[int, int, int]
"""Blue, green, red; 0..255 each."""

_FONT: Final = cv2.FONT_HERSHEY_SIMPLEX
# Steps of the golden ratio around the hue circle: neighbouring class ids get colours far apart, however many there are.
_HUE_STEP: Final = (5**0.5 - 1) / 2
_FIRST_HUE: Final = 0.58


@dataclass(frozen=True, slots=True)
class Style:
    """Sizes for a picture, so that a label reads the same on a thumbnail and on 4K.

    Attributes:
        line: Width of a box's line, pixels.
        text_scale: Of OpenCV's font.
        text_thickness: Of its strokes, pixels.
        padding: Around a text, pixels.
    """

    line: int
    text_scale: float
    text_thickness: int
    padding: int

    @classmethod
    def of(cls, width: int, height: int) -> Style:
        """For a picture of that size."""
        line = max(1, round((width + height) * 0.0015))
        return cls(line, max(0.4, line * 0.27), max(1, line // 2), line + 1)


def class_colour(class_id: int) -> Colour:
    """A class's colour: the same in every picture, and unlike its neighbours'."""
    hue = (_FIRST_HUE + class_id * _HUE_STEP) % 1.0
    red, green, blue = colorsys.hsv_to_rgb(hue, 0.85, 0.95)
    return round(blue * 255), round(green * 255), round(red * 255)


def text_colour(background: Colour) -> Colour:
    """Black or white, whichever stands out more.

    The threshold is where both have the same contrast by WCAG 2.1's relative luminance.
    """
    linear = [
        channel / 255 / 12.92 if channel <= 10 else ((channel / 255 + 0.055) / 1.055) ** 2.4 for channel in background
    ]
    luminance = 0.0722 * linear[0] + 0.7152 * linear[1] + 0.2126 * linear[2]
    return (0, 0, 0) if luminance > 0.179 else (255, 255, 255)


def text_size(text: str, style: Style) -> tuple[int, int, int]:
    """Width, height above the baseline and depth below it, pixels."""
    (width, height), baseline = cv2.getTextSize(text, _FONT, style.text_scale, style.text_thickness)
    return width, height, baseline


def write(image: Image, text: str, origin: tuple[int, int], background: Colour, style: Style) -> None:
    """Writes a text on a background that is there already; `origin` is its left end on the baseline."""
    colour = text_colour(background)
    cv2.putText(image, text, origin, _FONT, style.text_scale, colour, style.text_thickness, cv2.LINE_AA)
