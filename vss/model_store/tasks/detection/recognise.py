"""Which head a model has, and what its classes are called: read from its outputs and metadata."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from vss.errors import ModelUnsupported
from vss.model_store.tasks.detection.heads import HeadName, anchors

_YOLOV5_ANCHORS_A_CELL = 3
# Most models look at the picture through grids of 8, 16 and 32 pixels; some add a finer or a coarser one, small ones
# have a single grid.
_STRIDES = (4, 8, 16, 32, 64)
_HEADS = "yolov5, yolov8, yolox or end_to_end"


def recognise_head(
    shapes: Sequence[tuple[int, ...]], input_wh: tuple[int, int], metadata: Mapping[str, str]
) -> HeadName:
    """The head of a model.

    The number of rows tells them apart: YOLOX has one for each cell of its grids, YOLOv5 three, YOLOv8 one for each
    cell but lies on its side, and a model that suppresses by itself has as many as it may report, of six numbers each.

    Args:
        shapes: Of the outputs for one image.
        input_wh: Width and height of the input, pixels.
        metadata: What the exporter wrote into the file.

    Raises:
        ModelUnsupported: It is no detector that we know.
    """
    task = metadata.get("task", "detect")
    if task != "detect":
        raise ModelUnsupported(f"the model's metadata says its task is {task!r}", fix="give a detection model")
    if len(shapes) != 1 or len(shapes[0]) != 3:
        raise _unknown(shapes)
    _, first, second = shapes[0]
    runs = [_STRIDES[i:j] for i in range(len(_STRIDES)) for j in range(i + 1, len(_STRIDES) + 1)]
    if second in {anchors(input_wh, strides) for strides in runs} and 4 < first < second:
        return "yolov8"
    cells = {anchors(input_wh), anchors(input_wh, _STRIDES[1:])}
    if first in {_YOLOV5_ANCHORS_A_CELL * n for n in cells} and second > 5:
        return "yolov5"
    if second == 6 and (_suppresses(metadata) or first not in cells):
        return "end_to_end"
    if first == anchors(input_wh) and second > 5:
        return "yolox"
    raise _unknown(shapes)


def class_count(head: HeadName, shape: tuple[int, ...]) -> int | None:
    """Classes a model tells apart; None when its output does not say."""
    if head == "end_to_end":
        return None
    return shape[1] - 4 if head == "yolov8" else shape[2] - 5


def fits(head: HeadName, shape: tuple[int, ...], input_wh: tuple[int, int]) -> bool:
    """Whether a head that the manifest names can read an output of this shape."""
    if len(shape) != 3:
        return False
    _, first, second = shape
    return {
        "yolov8": first > 4,
        "yolov5": second > 5,
        "yolox": second > 5 and first == anchors(input_wh),
        "end_to_end": second == 6,
    }[head]


def _suppresses(metadata: Mapping[str, str]) -> bool:
    return metadata.get("end2end", "").lower() == "true" or "'nms': True" in metadata.get("args", "")


def _unknown(shapes: Sequence[tuple[int, ...]]) -> ModelUnsupported:
    listed = "; ".join(" × ".join(map(str, shape)) for shape in shapes)
    return ModelUnsupported(
        f"the model's outputs ({listed}) are none of a detector we know",
        fix=f"name its head in model.yaml (head: {_HEADS}), or export it as one of these",
    )
