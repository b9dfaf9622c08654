"""Non-maximum suppression: of boxes of one class that overlap, only the most confident stays."""

from __future__ import annotations

from typing import Final

import cv2
import numpy as np

from vss.model_store.tasks.detection.heads import Candidates

# Suppression compares boxes pairwise; a model that finds something everywhere must not stop the worker.
MAX_CANDIDATES: Final = 30_000


def suppress(candidates: Candidates, *, iou: float, max_detections: int) -> Candidates:
    """What stays, most confident first. Boxes of different classes never suppress one another.

    Args:
        candidates: In any order.
        iou: Overlap above which the less confident of two boxes goes.
        max_detections: How many may stay.
    """
    if len(candidates.scores) > MAX_CANDIDATES:
        candidates = candidates.take(np.argpartition(-candidates.scores, MAX_CANDIDATES)[:MAX_CANDIDATES])
    if not len(candidates.scores):
        return candidates
    rectangles = candidates.boxes.copy()
    rectangles[:, 2:] -= rectangles[:, :2]
    # Lists: OpenCV takes half the time to read them that it takes for arrays.
    kept = cv2.dnn.NMSBoxesBatched(
        rectangles.tolist(), candidates.scores.tolist(), candidates.class_ids.tolist(), -1.0, iou
    )
    return candidates.take(np.asarray(kept, np.intp)[:max_detections])


def strongest(candidates: Candidates, max_detections: int) -> Candidates:
    """The most confident, without suppression: for models that have done it."""
    return candidates.take(np.argsort(-candidates.scores, kind="stable")[:max_detections])
