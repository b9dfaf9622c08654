"""What other programs found in the shared data, and how much of it we find too."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

import av
import numpy as np

from vss.bench.matching import Agreement, agree
from vss.codecs.images import Image, read_image_info
from vss.config import Limits
from vss.model_store.tasks.detection.detector import Detector, Picture
from vss.schemas.events import DetectedObject
from vss.schemas.frame import FrameHeader

Found = dict[str, tuple[DetectedObject, ...]]


def expected(file: Path) -> dict[str, tuple[DetectedObject, ...]]:
    """Reference boxes by picture."""
    detections: Mapping[str, Sequence[Mapping[str, Any]]] = json.loads(file.read_text())["detections"]
    return {
        name: tuple(
            DetectedObject(
                class_=o["class"],
                class_id=o["class_id"],
                confidence=o["confidence"],
                bbox=tuple(o["bbox"]),
                center=((o["bbox"][0] + o["bbox"][2]) / 2, (o["bbox"][1] + o["bbox"][3]) / 2),
            )
            for o in objects
        )
        for name, objects in detections.items()
    }


def frames_named(folder: Path, names: Iterable[str]) -> dict[str, Image]:
    """The frames of `clip.mp4#number`."""
    wanted = set(names)
    frames = {}
    for clip in sorted({name.partition("#")[0] for name in wanted}):
        with av.open(str(folder / clip)) as container:
            for number, frame in enumerate(container.decode(video=0)):
                if (name := f"{clip}#{number}") in wanted:
                    frames[name] = frame.to_ndarray(format="bgr24").astype(np.uint8, copy=False)
    return frames


def detect_frames(detector: Detector, frames: Mapping[str, Image]) -> Found:
    """What a detector finds in decoded frames."""
    found = detector.detect(list(frames.values()))
    return {name: detections.objects for name, detections in zip(frames, found, strict=True)}


def detect_files(detector: Detector, files: Mapping[str, bytes]) -> Found:
    """What a detector finds in encoded pictures, decoded as a worker decodes them."""
    infos = {name: read_image_info(value, FrameHeader(camera_id="c"), Limits()) for name, value in files.items()}
    futures = detector.submit([Picture.encoded(value, infos[name]) for name, value in files.items()])
    return {name: future.result().objects for name, future in zip(files, futures, strict=True)}


def agreement(reference: Mapping[str, Sequence[DetectedObject]], found: Found) -> Agreement:
    """The strict comparison: the same class, IoU at least 0.99, confidence within 0.01."""
    return agree(reference, found, iou=0.99, confidence=0.01)
