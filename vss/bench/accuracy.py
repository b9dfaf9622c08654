"""Whether a model's boxes are right: against labels, and against what another program finds with the same model."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from vss.codecs.images import ImageInfo, read_image_info
from vss.config import Limits, ModelSettings
from vss.errors import BadRecord, ConfigError
from vss.model_store.evaluation.average_precision import (
    LOWEST_CONFIDENCE,
    SUPPRESSION_IOU,
    Precision,
    mean_average_precision,
)
from vss.model_store.evaluation.labelled import picture_files, read_labels
from vss.model_store.evaluation.matching import Agreement, agree
from vss.model_store.resolve import ModelRef
from vss.model_store.runner.picture import Picture
from vss.model_store.runner.runner import Runner
from vss.schemas.events import DetectedObject
from vss.schemas.frame import FrameHeader

Found = dict[str, tuple[DetectedObject, ...]]

_CHUNK: Final = 32
# How the reference was made, and how near a box must be.
REFERENCE_CONFIDENCE: Final = 0.25
REFERENCE_IOU: Final = 0.45
_SAME_IOU: Final = 0.99
_SAME_CONFIDENCE: Final = 0.01


@dataclass(frozen=True, slots=True)
class AccuracyBench:
    """What was measured.

    Attributes:
        pictures: How many were looked at.
        precision: Against the labels; None where there are none.
        agreement: With the reference; None without one.
    """

    model: str
    version: str
    pictures: int
    precision: Precision | None
    agreement: Agreement | None


def bench_accuracy(
    ref: ModelRef,
    settings: ModelSettings,
    folder: Path,
    *,
    reference: Path | None = None,
    on_pictures: Callable[[int], None] = lambda _: None,
) -> AccuracyBench:
    """Runs a model over a folder in YOLO's layout: `images/*.jpg` and `labels/*.txt`, of which labels may be absent.

    Args:
        ref: The model.
        settings: Where it runs; thresholds are the measurement's own.
        folder: The pictures.
        reference: JSON of what another program found: `{"detections": {"<image>": [{"class_id", …}]}}`.
        on_pictures: Told how many more pictures are done.

    Raises:
        ModelError: The model cannot be served.
        ConfigError: There is no picture, or a file cannot be read.
    """
    files = picture_files(folder)
    truth, precision = read_labels(folder, files), None
    if truth:
        found = _detect(ref, settings, files, LOWEST_CONFIDENCE, SUPPRESSION_IOU, on_pictures)
        precision = mean_average_precision(truth, found)
    agreement = None
    if reference is not None:
        wanted = read_reference(reference)
        named = {name: files[name] for name in wanted if name in files}
        if not named:
            raise ConfigError(f"{reference} names no picture of {folder}", fix="give the reference of these pictures")
        found = _detect(ref, settings, named, REFERENCE_CONFIDENCE, REFERENCE_IOU, on_pictures)
        agreement = agree({name: wanted[name] for name in named}, found, iou=_SAME_IOU, confidence=_SAME_CONFIDENCE)
    return AccuracyBench(ref.name, ref.version, len(files), precision, agreement)


def detect_files(
    detector: Runner[Any], files: Mapping[str, bytes], on_pictures: Callable[[int], None] = lambda _: None
) -> Found:
    """What a detector finds in encoded pictures, decoded as a worker decodes them.

    Raises:
        BadRecord: A picture cannot be decoded.
    """
    futures = detector.submit([Picture.encoded(value, _info(value)) for value in files.values()])
    found = {}
    for name, future in zip(files, futures, strict=True):
        found[name] = future.result().value
        on_pictures(1)
    return found


def read_reference(file: Path) -> dict[str, tuple[DetectedObject, ...]]:
    """Boxes another program found, by picture.

    Raises:
        ConfigError: The file is none of that.
    """
    try:
        detections: Mapping[str, list[dict[str, Any]]] = json.loads(file.read_text(encoding="utf-8"))["detections"]
        return {name: tuple(map(_reference_box, objects)) for name, objects in detections.items()}
    except (OSError, ValueError, KeyError, TypeError, AttributeError) as error:
        raise ConfigError(
            f"{file} is no reference: {error}",
            fix='write {"detections": {"a.jpg": [{"class": "car", "class_id": 2, "confidence": 0.9, "bbox": […]}]}}',
        ) from error


def _detect(
    ref: ModelRef,
    settings: ModelSettings,
    files: Mapping[str, Path],
    confidence: float,
    iou: float,
    on_pictures: Callable[[int], None],
) -> Found:
    settings = settings.model_copy(
        update={"confidence": confidence, "iou": iou, "classes": None, "max_detections": 300}
    )
    detector = Runner.load(ref, settings)
    names, found = list(files), Found()
    try:
        for start in range(0, len(names), _CHUNK):
            chunk = {name: files[name].read_bytes() for name in names[start : start + _CHUNK]}
            found |= detect_files(detector, chunk, on_pictures)
    except BadRecord as error:
        raise ConfigError(f"a picture cannot be read: {error}", fix="remove or repair it") from error
    finally:
        detector.close()
    return found


def _info(value: bytes) -> ImageInfo:
    return read_image_info(value, FrameHeader(camera_id="bench"), Limits())


def _reference_box(box: Mapping[str, Any]) -> DetectedObject:
    x1, y1, x2, y2 = map(float, box["bbox"])
    return DetectedObject(
        class_=str(box.get("class", "")),
        class_id=int(box["class_id"]),
        confidence=float(box["confidence"]),
        bbox=(x1, y1, x2, y2),
        center=((x1 + x2) / 2, (y1 + y2) / 2),
    )
