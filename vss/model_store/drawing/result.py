"""Draws whatever a task has found."""

from __future__ import annotations

from typing import Any

from vss.codecs.images import Image
from vss.model_store.drawing.banner import draw_lines, draw_predictions
from vss.model_store.drawing.boxes import draw_objects
from vss.schemas.events import ClassPrediction, DetectedObject


def draw_result(image: Image, value: Any) -> Image:
    """A copy of the picture with what was found in it.

    Args:
        image: (H, W, 3) BGR.
        value: Of a task: objects become boxes, classes a banner, the values of a task of the user's own lines.
    """
    if isinstance(value, dict):
        return draw_lines(image, [f"{name}: {_short(one)}" for name, one in value.items()])
    if any(isinstance(one, ClassPrediction) for one in value):
        return draw_predictions(image, value)
    objects: tuple[DetectedObject, ...] = value
    return draw_objects(image, objects)


def _short(value: Any) -> str:
    return f"{value:.4g}" if isinstance(value, float) else str(value)
