"""What `vss infer` prints: a result as a line of JSON, and as words for a person."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from typing import Annotated, Any, Final

from pydantic import Field

from vss.schemas.events import ClassPrediction, DetectedObject
from vss.workers.offline.infer import Found
from vss.workers.pictures.events import written
from vss.workers.pictures.kinds import CLASSIFY, DETECT

_SHOWN_CLASSES: Final = 3
_Embedding = Annotated[tuple[float, ...] | None, Field(exclude_if=lambda value: value is None)]


@dataclass(frozen=True, slots=True, kw_only=True)
class DetectionLine:
    """One picture that a detector has looked at.

    Attributes:
        source: Path of the image or video.
        frame: Counts the frames of a video from 0; 0 for an image.
        embedding: Left out unless asked for.
    """

    source: str
    frame: int
    objects: tuple[DetectedObject, ...]
    embedding: _Embedding


@dataclass(frozen=True, slots=True, kw_only=True)
class ClassificationLine:
    """One picture that a classifier has looked at; see `DetectionLine`."""

    source: str
    frame: int
    predictions: tuple[ClassPrediction, ...]
    embedding: _Embedding


@dataclass(frozen=True, slots=True, kw_only=True)
class ResultLine:
    """One picture that a task of the user's own has looked at; see `DetectionLine`."""

    source: str
    frame: int
    result: dict[str, Any]
    embedding: _Embedding


def json_line(found: Found, task: str) -> str:
    """A result as JSON, without the line's end.

    Raises:
        InferenceFailed: It holds what JSON has not.
    """
    where: dict[str, Any] = {"source": str(found.file.path), "frame": found.frame, "embedding": found.embedding}
    if task == DETECT.task:
        line: Any = DetectionLine(objects=found.value, **where)
    elif task == CLASSIFY.task:
        line = ClassificationLine(predictions=found.value, **where)
    else:
        line = ResultLine(result=found.value, **where)
    return written(line, task).decode()


class Summary:
    """Says in a line what was found in an image, or over all frames of a video.

    Args:
        task: What was done.
    """

    def __init__(self, task: str) -> None:
        self._task = task
        self._classes: Counter[str] = Counter()
        self._last: Found | None = None
        self._frames = 0

    def add(self, found: Found) -> None:
        """One more frame of it."""
        self._last = found
        self._frames += 1
        if self._task == DETECT.task:
            self._classes.update(_object(one) for one in found.value)
        elif self._task == CLASSIFY.task:
            self._classes.update(one.class_ for one in found.value[:1])

    def line(self) -> str:
        """Of an image what it shows, of a video how often; of another task's values those of the last frame."""
        last = self._last
        if last is None:
            return ""
        frames = "" if last.file.is_image else f"{self._frames} frames, "
        if self._task == CLASSIFY.task and last.file.is_image:
            said = ", ".join(f"{one.class_} {one.confidence:.1%}" for one in last.value[:_SHOWN_CLASSES])
        elif self._task in (DETECT.task, CLASSIFY.task):
            said = ", ".join(f"{count} {name}" for name, count in self._classes.most_common()) or "nothing"
        else:
            said = ", ".join(f"{name} {_short(value)}" for name, value in last.value.items()) or "nothing"
        return f"{last.file.path}: {frames}{said}"


def _object(one: DetectedObject) -> str:
    return one.class_ if one.classification is None else f"{one.class_} ({one.classification.predictions[0].class_})"


def _short(value: Any) -> str:
    return f"{value:.4g}" if isinstance(value, float) else str(value)
