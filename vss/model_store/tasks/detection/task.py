"""Detection: what comes before and after a model that finds objects in pictures."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from vss.config import ModelSettings
from vss.errors import ModelUnsupported
from vss.model_store.backends.model import Model
from vss.model_store.backends.pixels import PixelScaling, fuse_pixels
from vss.model_store.comparison.tasks import OBJECTS
from vss.model_store.manifest import InputSpec, Manifest
from vss.model_store.resolve import ModelRef
from vss.model_store.tasks.detection.coco import COCO_LABELS
from vss.model_store.tasks.detection.heads import HeadName, make_head
from vss.model_store.tasks.detection.letterbox import InputBuffer, Letterbox
from vss.model_store.tasks.detection.objects import ObjectMaker
from vss.model_store.tasks.detection.pixel_buffer import PixelBuffer
from vss.model_store.tasks.detection.recognise import class_count, fits, recognise_head
from vss.model_store.tasks.metadata import labels_of
from vss.model_store.tasks.picture_input import outputs_for, picture_wh
from vss.model_store.tasks.task import Inputs, TaskKind
from vss.schemas.events import DetectedObject

Objects = tuple[DetectedObject, ...]
_DEFAULT_SIDE: Final = 640


class DetectionTask:
    """Pictures to inputs, outputs to objects (see `PictureTask`).

    Attributes:
        head: Layout of the model's output.
        labels: Class names by class id.
        input_wh: Width and height of the model's input, pixels.
        facts: The head.
        letterbox: How pictures become its input.
    """

    result_type: Any = Objects

    def __init__(
        self,
        head: HeadName,
        letterbox: Letterbox,
        maker: ObjectMaker,
        labels: tuple[str, ...],
        *,
        takes_pixels: bool = False,
    ) -> None:
        self.head = head
        self.facts: Mapping[str, str] = {"head": head}
        self.labels = labels
        self.letterbox = letterbox
        self.input_wh = (letterbox.width, letterbox.height)
        self._maker = maker
        self._takes_pixels = takes_pixels

    def decode_wh(self, width: int, height: int) -> tuple[int, int]:
        """See `PictureTask.decode_wh`."""
        placement = self.letterbox.place(width, height)
        return placement.width, placement.height

    def inputs(self, slots: int) -> Inputs:
        """See `PictureTask.inputs`."""
        return PixelBuffer(self.letterbox, slots) if self._takes_pixels else InputBuffer(self.letterbox, slots)

    def result(self, outputs: Sequence[NDArray[Any]], width: int, height: int) -> Objects:
        """The objects in a picture, most confident first, in pixels of the source."""
        return self._maker.objects(outputs[0], self.letterbox.place(width, height), width, height)

    def classes_in(self, result: Any) -> Sequence[str]:
        """See `PictureTask.classes_in`."""
        return [one.class_ for one in result]


def load_detection(ref: ModelRef, model: Model, settings: ModelSettings) -> DetectionTask:
    """Finds out what a detector is, by its outputs, its metadata and its manifest. Runs it once.

    Raises:
        ModelUnsupported: Its inputs or outputs are none we know, or not those its manifest says.
        ConfigError: A setting does not fit the model.
    """
    spec = ref.manifest.input
    width, height = picture_wh(ref, model, default=_DEFAULT_SIDE)
    shapes = _shapes_for_one(model, width, height, features=settings.features is not None)
    head = ref.manifest.head
    if head == "auto":
        head = recognise_head(shapes, (width, height), model.metadata)
    elif not fits(head, shapes[0], (width, height)):
        raise ModelUnsupported(
            f"an output of shape {' × '.join(map(str, shapes[0]))} has no {head} head",
            fix="correct head in model.yaml",
        )
    labels = _labels(ref, model, class_count(head, shapes[0]))
    thresholds = ref.manifest.thresholds
    maker = ObjectMaker(
        make_head(head, (width, height)),
        suppresses=head == "end_to_end",
        labels=labels,
        confidence=settings.confidence if settings.confidence is not None else thresholds.confidence,
        iou=settings.iou if settings.iou is not None else thresholds.iou,
        classes=settings.classes,
        max_detections=settings.max_detections,
    )
    letterbox = _letterbox(spec, head, width, height)
    scale = (letterbox.scale,) * 3
    takes_pixels = fuse_pixels(model, PixelScaling(rgb=letterbox.rgb, scale=scale))
    return DetectionTask(head, letterbox, maker, labels, takes_pixels=takes_pixels)


def _thresholds(manifest: Manifest) -> dict[str, str]:
    thresholds = manifest.thresholds
    return {"thresholds": f"confidence {thresholds.confidence}, iou {thresholds.iou}"}


DETECTION: Final = TaskKind(
    "detection",
    load_detection,
    step="detect",
    default_side=_DEFAULT_SIDE,
    comparing=OBJECTS,
    finds_objects=True,
    describe=_thresholds,
)


def _shapes_for_one(model: Model, width: int, height: int, *, features: bool) -> list[tuple[int, ...]]:
    black = np.zeros((model.input_shape[0] or 1, 3, height, width), np.float32)
    return [tuple(output.shape) for output in outputs_for(model, black, features=features)]


def _labels(ref: ModelRef, model: Model, classes: int | None) -> tuple[str, ...]:
    if (labels := labels_of(ref, model, classes)) is not None:
        return labels
    # Exports of YOLOX and YOLOv5 name no classes; one that tells exactly COCO's 80 apart was trained on it.
    return COCO_LABELS if classes == len(COCO_LABELS) else tuple(f"class_{i}" for i in range(classes or 0))


def _letterbox(spec: InputSpec, head: HeadName, width: int, height: int) -> Letterbox:
    # YOLOX alone is trained on blue, green, red in 0..255, at the top left of its padding.
    is_yolox = head == "yolox"
    return Letterbox(
        width,
        height,
        centered=not is_yolox if spec.letterbox == "auto" else spec.letterbox == "center",
        rgb=not is_yolox if spec.color == "auto" else spec.color == "rgb",
        scale=spec.scale if spec.scale is not None else (1.0 if is_yolox else 1 / 255),
        pad=spec.pad,
    )
