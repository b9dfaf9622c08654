"""Two sets of boxes compared: which of one are in the other."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from vss.schemas.events import DetectedObject


@dataclass(frozen=True, slots=True)
class Agreement:
    """How well found boxes agree with reference boxes.

    Attributes:
        reference: Boxes of the reference.
        matched: Those that were found.
        extra: Boxes found that match none.
    """

    reference: int
    matched: int
    extra: int

    @property
    def matched_share(self) -> float:
        """0..1 of the reference; 1 where it is empty."""
        return self.matched / self.reference if self.reference else 1.0

    @property
    def extra_share(self) -> float:
        """Extra boxes for each box of the reference."""
        return self.extra / max(self.reference, 1)


def agree(
    reference: Mapping[str, Sequence[DetectedObject]],
    found: Mapping[str, Sequence[DetectedObject]],
    *,
    iou: float,
    confidence: float,
) -> Agreement:
    """Matches boxes one to one, picture by picture.

    Args:
        reference: Boxes by picture.
        found: Boxes by picture, of the same pictures.
        iou: Lowest overlap of a match.
        confidence: Largest difference of a match.
    """
    counted = matched = extra = 0
    for picture, wanted in reference.items():
        left = list(found[picture])
        counted += len(wanted)
        for thing in wanted:
            match = _match(thing, left, iou, confidence)
            if match is not None:
                left.pop(match)
                matched += 1
        extra += len(left)
    return Agreement(counted, matched, extra)


def _match(thing: DetectedObject, others: Sequence[DetectedObject], iou: float, confidence: float) -> int | None:
    if not others:
        return None
    overlaps = overlap(np.array([thing.bbox]), np.array([other.bbox for other in others]))[0]
    fits = [
        other.class_id == thing.class_id and abs(other.confidence - thing.confidence) <= confidence for other in others
    ]
    best = int(np.argmax(np.where(fits, overlaps, -1.0)))
    return best if fits[best] and overlaps[best] >= iou else None


def overlap(ours: NDArray[np.float64], theirs: NDArray[np.float64]) -> NDArray[np.float64]:
    """Intersection over union of every box with every other.

    Args:
        ours: Shape (n, 4): x1, y1, x2, y2.
        theirs: Shape (m, 4).

    Returns:
        Shape (n, m), 0..1.
    """
    top_left = np.maximum(ours[:, None, :2], theirs[None, :, :2])
    bottom_right = np.minimum(ours[:, None, 2:], theirs[None, :, 2:])
    shared = np.prod(np.clip(bottom_right - top_left, 0, None), axis=2)
    areas = [np.prod(boxes[:, 2:] - boxes[:, :2], axis=1) for boxes in (ours, theirs)]
    union = areas[0][:, None] + areas[1][None, :] - shared
    result: NDArray[np.float64] = shared / np.maximum(union, 1e-12)
    return result
