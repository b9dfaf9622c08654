"""Draws what two versions say about one picture side by side, for people to look at: A left, B right.

What both found is a thin grey box. What only one found has its label and a thick outline there, and a dashed outline on
the other side: there it is missing.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any, Final

import cv2
import numpy as np

from vss.codecs.images import Image
from vss.model_store.comparison.worst import Example
from vss.model_store.drawing.boxes import draw_objects
from vss.model_store.drawing.style import Colour
from vss.schemas.events import ClassPrediction, DetectedObject

_FONT = cv2.FONT_HERSHEY_SIMPLEX
_NARROWEST: Final = 560
"""Of one side, pixels: titles fit. A narrower picture is drawn larger."""
_LARGEST: Final = 960
"""Width and height of a side's picture, pixels: a larger one is drawn smaller."""
_GAP: Final = 6
_BAR: Final = 34
_LINE: Final = 24
_BACKGROUND: Final[Colour] = (24, 24, 24)
_TEXT: Final[Colour] = (225, 225, 225)
_BOTH: Final[Colour] = (190, 190, 190)
_MISSED: Final[Colour] = (70, 70, 245)
_EXTRA: Final[Colour] = (0, 170, 255)
_MOST_LINES: Final = 3
_LINE_LENGTH: Final = 60


@dataclass(frozen=True, slots=True)
class _Side:
    """One half of the drawing.

    Attributes:
        title: The version.
        value: Its result; None where it failed.
        own: Places of its findings that the other lacks.
        accent: Colour of those.
        word: What they are called.
    """

    title: str
    value: Any
    own: tuple[int, ...]
    accent: Colour
    word: str


def draw_side_by_side(example: Example, titles: tuple[str, str]) -> Image:
    """The picture twice, with what A and B say about it.

    Args:
        example: What is drawn.
        titles: Of A and B, in ASCII.
    """
    difference = example.difference
    a = _Side(titles[0], example.a, difference.missed, _MISSED, "missed by B")
    b = _Side(titles[1], example.b, difference.extra, _EXTRA, "not in A")
    halves = [_draw_half(example, *pair) for pair in ((a, b), (b, a))]
    height = max(half.shape[0] for half in halves)
    left, right = (_padded(half, half.shape[1], height) for half in halves)
    body = np.hstack([left, np.full((height, _GAP, 3), 255, np.uint8), right])
    foot = _bar(body.shape[1])
    _write(foot, f"{example.place}   agreement {difference.agreement:.2f}", 10, _TEXT)
    return np.asarray(np.vstack([body, foot]), np.uint8)


def _draw_half(example: Example, side: _Side, other: _Side) -> Image:
    image = example.image
    height, width = image.shape[:2]
    gain = min(max(1.0, _NARROWEST / width), _LARGEST / width, _LARGEST / height)
    size = max(1, round(width * gain)), max(1, round(height * gain))
    how = cv2.INTER_AREA if gain < 1 else cv2.INTER_CUBIC
    drawn = np.ascontiguousarray(cv2.resize(image, size, interpolation=how), np.uint8)
    if _is_detection(side.value) and _is_detection(other.value):
        drawn = _draw_objects(drawn, _scaled(side.value, gain), side, _scaled(other.value, gain), other)
    drawn = _padded(drawn, max(_NARROWEST, size[0]), size[1])
    bar = _bar(drawn.shape[1])
    differs = bool(side.own or side.value is None)
    _write(bar, side.title, 10, _TEXT)
    summary = _summary(side)
    left = bar.shape[1] - cv2.getTextSize(summary, _FONT, 0.5, 1)[0][0] - 10
    _write(bar, summary, left, side.accent if differs else _TEXT)
    return np.asarray(np.vstack([bar, drawn, *_lines(side, bar.shape[1])]), np.uint8)


def _draw_objects(
    image: Image, own: Sequence[DetectedObject], side: _Side, others: Sequence[DetectedObject], other: _Side
) -> Image:
    line = max(1, round(image.shape[1] / 500))
    for i, one in enumerate(own):
        if i not in side.own:
            cv2.rectangle(image, *_corners(one), _BOTH, line)
    for i in side.own:
        _halo(image, own[i], side.accent, line)
    image = draw_objects(image, [own[i] for i in side.own])
    for i in other.own:
        _dashed(image, others[i], other.accent, 2 * line)
    return image


def _halo(image: Image, one: DetectedObject, colour: Colour, line: int) -> None:
    """Around a box, below its label."""
    (x1, y1), (x2, y2) = _corners(one)
    for distance, ring, thickness in ((4 * line, (255, 255, 255), line), (2 * line, colour, 3 * line)):
        corners = (x1 - distance, y1 - distance), (x2 + distance, y2 + distance)
        cv2.rectangle(image, *corners, ring, thickness)


def _dashed(image: Image, one: DetectedObject, colour: Colour, line: int) -> None:
    (x1, y1), (x2, y2) = _corners(one)
    corners = [(x1, y1), (x2, y1), (x2, y2), (x1, y2)]
    for (ax, ay), (bx, by) in zip(corners, [*corners[1:], corners[0]], strict=True):
        steps = max(2, round(max(abs(bx - ax), abs(by - ay)) / (4 * line)))
        xs, ys = np.linspace(ax, bx, steps + 1), np.linspace(ay, by, steps + 1)
        for k in range(0, steps, 2):
            start, end = (round(xs[k]), round(ys[k])), (round(xs[k + 1]), round(ys[k + 1]))
            cv2.line(image, start, end, colour, line, cv2.LINE_AA)


def _corners(one: DetectedObject) -> tuple[tuple[int, int], tuple[int, int]]:
    x1, y1, x2, y2 = (round(value) for value in one.bbox)
    return (x1, y1), (x2, y2)


def _scaled(objects: Sequence[DetectedObject], gain: float) -> list[DetectedObject]:
    return [
        replace(
            one,
            bbox=(one.bbox[0] * gain, one.bbox[1] * gain, one.bbox[2] * gain, one.bbox[3] * gain),
            center=(one.center[0] * gain, one.center[1] * gain),
        )
        for one in objects
    ]


def _summary(side: _Side) -> str:
    if side.value is None:
        return "failed"
    if _is_detection(side.value):
        count = len(side.value)
        found = f"{count} object{'' if count == 1 else 's'}"
        return f"{found}, {len(side.own)} {side.word}" if side.own else found
    return "differs" if side.own else "the same"


def _lines(side: _Side, width: int) -> list[Image]:
    """What no box says, below the picture."""
    if side.value is None or _is_detection(side.value):
        return []
    if _is(side.value, ClassPrediction):
        texts = [f"{one.class_} {one.confidence:.1%}" for one in side.value[:_MOST_LINES]]
    else:
        text = json.dumps(side.value, default=str)
        texts = [text[i : i + _LINE_LENGTH] for i in range(0, len(text), _LINE_LENGTH)][:_MOST_LINES]
    lines = []
    for i, text in enumerate(texts):
        line = np.full((_LINE, width, 3), _BACKGROUND, np.uint8)
        _write(line, text, 10, side.accent if side.own and i == 0 else _TEXT)
        lines.append(line)
    return lines


def _is_detection(value: Any) -> bool:
    return value == () or _is(value, DetectedObject)


def _is(value: Any, kind: type) -> bool:
    return isinstance(value, Sequence) and bool(value) and isinstance(value[0], kind)


def _bar(width: int) -> Image:
    return np.full((_BAR, width, 3), _BACKGROUND, np.uint8)


def _padded(image: Image, width: int, height: int) -> Image:
    padded = np.full((height, width, 3), _BACKGROUND, np.uint8)
    padded[: image.shape[0], : image.shape[1]] = image
    return padded


def _write(bar: Image, text: str, left: int, colour: Colour) -> None:
    cv2.putText(bar, text, (left, bar.shape[0] // 2 + 6), _FONT, 0.5, colour, 1, cv2.LINE_AA)
