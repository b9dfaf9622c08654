"""Pictures that a model is calibrated and judged with: of a folder, a video or a topic, spread over all of it."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Final

import numpy as np

from vss.codecs.images import encode_image, read_image_info
from vss.config import Limits, Settings
from vss.errors import ConfigError
from vss.model_store.evaluation.average_precision import TrueBox
from vss.model_store.evaluation.labelled import read_labels
from vss.model_store.quantisation.samples import Sample
from vss.model_store.runner.picture import Picture
from vss.schemas.frame import FrameHeader
from vss.workers.offline.frames import BadFrame, FileFrames, Frame, Stretch, TopicFrames
from vss.workers.offline.inputs import InputFile, count_pictures, find_inputs

TOPIC_PREFIX: Final = "topic:"
# Of a video whose header does not say how many frames it has.
_STEP: Final = 10
# A frame of a video is held encoded; this is finer than cameras encode.
_QUALITY: Final = 95


def read_samples(source: str, settings: Settings, *, at_most: int) -> list[Sample]:
    """Pictures, with the objects in them where YOLO's label files lie beside.

    Args:
        source: A folder, an image, a video, or `topic:NAME`.
        settings: The cluster, and what a picture may weigh.
        at_most: Pictures; of more every nth is taken.

    Raises:
        SourceUnreadable: There is no such file or folder, or nothing in it.
        BrokerUnavailable: No broker answers.
        ConfigError: The topic does not exist or is empty, a picture cannot be read, or a label file is none.
    """
    if source.startswith(TOPIC_PREFIX):
        return _of_topic(source.removeprefix(TOPIC_PREFIX), settings, at_most)
    files = find_inputs([source])
    images = _spread([file for file in files if file.is_image], at_most)
    truths = _labels(images)
    samples = []
    for file, frame in zip(images, _read(images, 1, len(images), settings.limits), strict=True):
        samples.append(Sample(str(file.path), frame.picture, truths.get(file.path)))
    videos = [file for file in files if not file.is_image]
    for i, file in enumerate(videos):
        share = (at_most - len(samples)) // (len(videos) - i)
        if share > 0:
            every = max(1, (count_pictures(file, 1) or _STEP * share) // share)
            frames = _read([file], every, share, settings.limits)
            samples += [Sample(str(frame.place), _held(frame.picture)) for frame in frames]
    return samples


def _of_topic(topic: str, settings: Settings, at_most: int) -> list[Sample]:
    held = TopicFrames(settings, Stretch(topic)).count()
    frames = TopicFrames(settings, Stretch(topic, limit=at_most, every=max(1, held // at_most)))
    # What cannot be decoded belongs to the topic as much as the rest; the model never sees it.
    return [Sample(str(frame.place), frame.picture) for frame in frames if isinstance(frame, Frame)]


def _read(files: Sequence[InputFile], every: int, limit: int, limits: Limits) -> list[Frame]:
    frames = []
    for frame in FileFrames(files, every=every, limit=limit, limits=limits):
        if isinstance(frame, BadFrame):
            raise ConfigError(f"{frame.place} cannot be read: {frame.error}", fix="remove or repair it")
        frames.append(frame)
    return frames


def _spread(files: Sequence[InputFile], at_most: int) -> list[InputFile]:
    if len(files) <= at_most:
        return list(files)
    return [files[i] for i in np.linspace(0, len(files) - 1, at_most).round().astype(int)]


def _labels(files: Sequence[InputFile]) -> dict[Path, tuple[TrueBox, ...]]:
    """Labelled objects of the pictures of those folders that have label files."""
    by_folder: dict[Path, dict[str, Path]] = {}
    for file in files:
        folder = file.path.parent
        by_folder.setdefault(folder.parent if folder.name == "images" else folder, {})[file.path.name] = file.path
    return {
        paths[name]: tuple(boxes)
        for folder, paths in by_folder.items()
        for name, boxes in read_labels(folder, paths).items()
    }


def _held(picture: Picture) -> Picture:
    value = encode_image(picture.load((picture.width, picture.height)), "jpeg", quality=_QUALITY)
    limits = Limits().model_copy(update={"max_record_bytes": len(value)})
    return Picture.encoded(value, read_image_info(value, FrameHeader(camera_id=""), limits))
