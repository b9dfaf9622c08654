"""Two sets of boxes compared: which of one are in the other."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
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


@dataclass(frozen=True, slots=True)
class Matching:
    """Which boxes of two sets are the same.

    Attributes:
        pairs: Places in the reference and in what was found, of each box that is in both.
        missed: Places of boxes that only the reference has.
        extra: Places of boxes that only what was found has.
    """

    pairs: tuple[tuple[int, int], ...]
    missed: tuple[int, ...]
    extra: tuple[int, ...]


def same_class_id(ours: DetectedObject, theirs: DetectedObject) -> bool:
    """Whether two objects are of one class, for models that number their classes alike."""
    return ours.class_id == theirs.class_id


def same_class_name(ours: DetectedObject, theirs: DetectedObject) -> bool:
    """Whether two objects are of one class, for models that may number their classes differently."""
    return ours.class_ == theirs.class_


def match_boxes(
    reference: Sequence[DetectedObject],
    found: Sequence[DetectedObject],
    *,
    iou: float,
    confidence: float = 1.0,
    same: Callable[[DetectedObject, DetectedObject], bool] = same_class_id,
) -> Matching:
    """Matches the boxes of one picture one to one, those that overlap most first; of equals the likest confidences.

    Swapping the two sides swaps what comes out and changes nothing else.

    Args:
        reference: Boxes.
        found: Boxes of the same picture.
        iou: Lowest overlap of a match.
        confidence: Largest difference of a match.
        same: Whether two objects are of one class.
    """
    overlaps = overlap(_boxes(reference), _boxes(found))
    near = np.argwhere(overlaps >= iou).tolist()
    fitting = [
        (-overlaps[i, j], difference, i, j)
        for i, j in near
        if same(reference[i], found[j])
        and (difference := abs(reference[i].confidence - found[j].confidence)) <= confidence
    ]
    ours, theirs = dict.fromkeys(range(len(reference))), dict.fromkeys(range(len(found)))
    pairs = []
    for *_, i, j in sorted(fitting):
        if i in ours and j in theirs:
            del ours[i], theirs[j]
            pairs.append((i, j))
    return Matching(tuple(sorted(pairs)), tuple(ours), tuple(theirs))


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
    matchings = [
        match_boxes(wanted, found[picture], iou=iou, confidence=confidence) for picture, wanted in reference.items()
    ]
    return Agreement(
        reference=sum(map(len, reference.values())),
        matched=sum(len(matching.pairs) for matching in matchings),
        extra=sum(len(matching.extra) for matching in matchings),
    )


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


def _boxes(objects: Sequence[DetectedObject]) -> NDArray[np.float64]:
    return np.array([one.bbox for one in objects], np.float64).reshape(-1, 4)
