"""From candidate boxes in the model's input to objects in the picture as it was published."""

from __future__ import annotations

import difflib
from collections.abc import Sequence
from typing import Final

import numpy as np
from numpy.typing import NDArray

from vss.errors import ConfigError, InferenceFailed
from vss.model_store.tasks.detection.heads import Head
from vss.model_store.tasks.detection.letterbox import Placement
from vss.model_store.tasks.detection.nms import strongest, suppress
from vss.schemas.events import DetectedObject

# Finer than any model is, and half the bytes of a double.
_CONFIDENCE_DIGITS: Final = 5
_PIXEL_DIGITS: Final = 2


class ObjectMaker:
    """What comes after the model.

    Args:
        head: Reads the output.
        suppresses: Whether the model has suppressed overlapping boxes itself.
        labels: Class names by class id.
        confidence: Lowest confidence that is reported.
        iou: Overlap above which boxes of a class merge.
        classes: Report only these; None reports all.
        max_detections: Objects a picture may have.

    Raises:
        ConfigError: `classes` holds a name that the model does not know.
    """

    def __init__(
        self,
        head: Head,
        *,
        suppresses: bool,
        labels: Sequence[str],
        confidence: float,
        iou: float,
        classes: Sequence[str] | None,
        max_detections: int,
    ) -> None:
        self._head = head
        self._suppresses = suppresses
        self._labels = tuple(labels)
        self._confidence = confidence
        self._iou = iou
        self._wanted = _wanted(classes, self._labels) if classes is not None else None
        self._max_detections = max_detections

    def objects(
        self, output: NDArray[np.float32], placement: Placement, width: int, height: int
    ) -> tuple[DetectedObject, ...]:
        """The objects in one picture, most confident first.

        Args:
            output: Of the model for this picture, without the batch axis.
            placement: Where the picture lies in the input.
            width: Of the source, pixels; boxes are clipped to it.
            height: Of the source, pixels; boxes are clipped to it.

        Raises:
            InferenceFailed: The output holds scores or boxes that are no numbers.
        """
        candidates = self._head(output, self._confidence)
        if self._wanted is not None:
            candidates = candidates.take(np.isin(candidates.class_ids, self._wanted))
        if self._suppresses:
            candidates = strongest(candidates, self._max_detections)
        else:
            candidates = suppress(candidates, iou=self._iou, max_detections=self._max_detections)
        if not len(candidates.scores):
            return ()
        boxes = candidates.boxes.astype(np.float64) - (placement.left, placement.top) * 2
        boxes /= (placement.gain_x, placement.gain_y) * 2
        if not np.isfinite(boxes).all():
            raise InferenceFailed("the model put out boxes that are no numbers (NaN or infinite)")
        boxes = boxes.clip(0, (width, height) * 2).round(_PIXEL_DIGITS)
        centers = ((boxes[:, :2] + boxes[:, 2:]) / 2).round(_PIXEL_DIGITS)
        scores = candidates.scores.astype(np.float64).round(_CONFIDENCE_DIGITS).clip(0, 1)
        return tuple(
            DetectedObject(
                class_=self._label(class_id),
                class_id=class_id,
                confidence=score,
                bbox=(box[0], box[1], box[2], box[3]),
                center=(center[0], center[1]),
            )
            for class_id, score, box, center in zip(
                candidates.class_ids.tolist(), scores.tolist(), boxes.tolist(), centers.tolist(), strict=True
            )
        )

    def _label(self, class_id: int) -> str:
        # Models that suppress by themselves do not say how many classes they know.
        return self._labels[class_id] if 0 <= class_id < len(self._labels) else f"class_{class_id}"


def _wanted(classes: Sequence[str], labels: Sequence[str]) -> list[int]:
    for name in classes:
        if name not in labels:
            near = difflib.get_close_matches(name, labels, n=1, cutoff=0.0)
            raise ConfigError(
                f"the model knows no class {name!r}",
                fix=f"did you mean {near[0]}?" if near else "give the model's labels in its model.yaml",
            )
    return [i for i, label in enumerate(labels) if label in classes]
