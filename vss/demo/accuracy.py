"""How well a model finds the parts: average precision on scenes whose truth is known. Needs onnxruntime, no torch."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from vss.demo.scene.parts import CLASSES
from vss.demo.scene.scene import Frame, Scene

VISIBLE = 0.4
"""A part that is seen less than this is neither asked for nor counted wrong."""
_THRESHOLDS = np.arange(0.5, 0.96, 0.05)
_LOWEST_SCORE = 0.01
_SUPPRESSION_IOU = 0.5

Boxes = NDArray[np.float64]
"""(N, 4) x1, y1, x2, y2 in pixels."""


def measure_accuracy(model: Path, seeds: Iterable[int], *, frames_a_scene: int) -> dict[str, float | int]:
    """Average precision over all classes, as COCO computes it (101 points, IoU 0.5 and 0.5:0.95).

    Args:
        model: ONNX with the answer of YOLOv8 and a fixed input size.
        seeds: Of the scenes.
        frames_a_scene: Spread evenly over each scene.

    Returns:
        `map50`, `map50_95`, and how many frames and parts they stand on.
    """
    import onnxruntime

    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = 1
    session = onnxruntime.InferenceSession(str(model), options, providers=["CPUExecutionProvider"])
    judge = _Judge()
    frames = 0
    for seed in seeds:
        scene = Scene(seed)
        for number in np.linspace(0, scene.frames_in_loop, frames_a_scene, endpoint=False).astype(int):
            frame, objects = scene.frame(int(number))
            found = _detect(session, frame)
            frames += 1
            for class_id, name in enumerate(CLASSES):
                mine = [o for o in objects if o.class_ == name]
                wanted = np.array([o.bbox for o in mine if o.visible >= VISIBLE]).reshape(-1, 4)
                ignored = np.array([o.bbox for o in mine if o.visible < VISIBLE]).reshape(-1, 4)
                boxes, scores = found[class_id]
                judge.add(class_id, boxes, scores, wanted, ignored)
    precisions = np.array([judge.average_precisions(class_id) for class_id in range(len(CLASSES))])
    return {
        "map50": round(float(precisions[:, 0].mean()), 4),
        "map50_95": round(float(precisions.mean()), 4),
        "frames": frames,
        "parts": sum(judge.wanted),
    }


def _detect(session: Any, frame: Frame) -> list[tuple[Boxes, NDArray[np.float64]]]:
    """Boxes and scores of each class, best first."""
    _, _, height, width = session.get_inputs()[0].shape
    small = cv2.cvtColor(cv2.resize(frame, (width, height)), cv2.COLOR_BGR2RGB)
    batch = np.ascontiguousarray(small.transpose(2, 0, 1)[None], dtype=np.float32) / np.float32(255)
    (answer,) = session.run(None, {session.get_inputs()[0].name: batch})
    cells = answer[0].T.astype(np.float64)
    scale = np.array([frame.shape[1] / width, frame.shape[0] / height] * 2)
    half = cells[:, 2:4] / 2
    boxes = np.concatenate([cells[:, :2] - half, cells[:, :2] + half], axis=1) * scale
    found = []
    for class_id in range(len(CLASSES)):
        scores = cells[:, 4 + class_id]
        sized = np.concatenate([boxes[:, :2], boxes[:, 2:] - boxes[:, :2]], axis=1)
        kept = cv2.dnn.NMSBoxes(sized.tolist(), scores.tolist(), _LOWEST_SCORE, _SUPPRESSION_IOU)
        order = np.asarray(kept, dtype=int).reshape(-1)
        found.append((boxes[order], scores[order]))
    return found


class _Judge:
    """Collects matches of one class after another and makes average precision of them."""

    def __init__(self) -> None:
        self.wanted = [0] * len(CLASSES)
        self._scores: list[list[float]] = [[] for _ in CLASSES]
        self._hits: list[list[NDArray[np.bool_]]] = [[] for _ in CLASSES]

    def add(self, class_id: int, boxes: Boxes, scores: NDArray[np.float64], wanted: Boxes, ignored: Boxes) -> None:
        """One frame: boxes best first; those that hit what is to be ignored count neither way."""
        self.wanted[class_id] += len(wanted)
        overlap = _iou(boxes, wanted)
        taken = np.zeros((len(_THRESHOLDS), len(wanted)), bool)
        near_ignored = _iou(boxes, ignored).max(axis=1, initial=0) > 0.3
        for row, score in enumerate(scores):
            hits = np.zeros(len(_THRESHOLDS), bool)
            for level, threshold in enumerate(_THRESHOLDS):
                free = np.where(taken[level], 0.0, overlap[row])
                if len(free) and free.max() >= threshold:
                    taken[level, int(free.argmax())] = True
                    hits[level] = True
            if hits.any() or not near_ignored[row]:
                self._scores[class_id].append(float(score))
                self._hits[class_id].append(hits)

    def average_precisions(self, class_id: int) -> NDArray[np.float64]:
        """(thresholds,) average precision at each IoU."""
        if not self._scores[class_id]:
            return np.zeros(len(_THRESHOLDS))
        order = np.argsort(self._scores[class_id])[::-1]
        hits = np.array(self._hits[class_id])[order]
        found = hits.cumsum(axis=0)
        recall = found / max(1, self.wanted[class_id])
        precision = found / np.arange(1, len(hits) + 1)[:, None]
        # Precision at a recall is the best that is reached at that recall or a higher one.
        precision = np.maximum.accumulate(precision[::-1], axis=0)[::-1]
        points = np.linspace(0, 1, 101)
        averages = []
        for level in range(len(_THRESHOLDS)):
            at = np.searchsorted(recall[:, level], points, side="left")
            averages.append(np.append(precision[:, level], 0.0)[at].mean())
        return np.array(averages)


def _iou(a: Boxes, b: Boxes) -> NDArray[np.float64]:
    """(N, M) intersection over union of each with each."""
    low = np.maximum(a[:, None, :2], b[None, :, :2])
    high = np.minimum(a[:, None, 2:], b[None, :, 2:])
    both = np.clip(high - low, 0, None).prod(axis=2)
    areas = [(boxes[:, 2:] - boxes[:, :2]).prod(axis=1) for boxes in (a, b)]
    union = areas[0][:, None] + areas[1][None, :] - both
    overlap: NDArray[np.float64] = both / np.maximum(union, 1e-9)
    return overlap
