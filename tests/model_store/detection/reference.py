"""What other programs found in the shared data, and how much of it we find too."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

import av
import numpy as np

from vss.bench.accuracy import Found
from vss.codecs.images import Image
from vss.model_store.evaluation.matching import Agreement, agree
from vss.model_store.runner.runner import Runner
from vss.schemas.events import DetectedObject


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


def detect_frames(detector: Runner[Any], frames: Mapping[str, Image]) -> Found:
    """What a detector finds in decoded frames."""
    found = detector.run(list(frames.values()))
    return {name: detections.value for name, detections in zip(frames, found, strict=True)}


def agreement(reference: Mapping[str, Sequence[DetectedObject]], found: Found) -> Agreement:
    """The strict comparison: the same class, IoU at least 0.99, confidence within 0.01."""
    return agree(reference, found, iou=0.99, confidence=0.01)
