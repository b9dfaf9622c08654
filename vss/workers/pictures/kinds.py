"""What the workers that look at pictures differ in: their name, the task of their models, and their events."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from vss.model_store.tasks.classification.task import CLASSIFICATION
from vss.model_store.tasks.detection.task import DETECTION
from vss.workers.pictures.events import ClassificationEvents, DetectionEvents, EventMaker, ResultEvents


@dataclass(frozen=True, slots=True)
class PictureWorker:
    """One kind of worker.

    Attributes:
        name: Of its step, and with the prefix of its consumer group.
        task: What its models do, as manifests spell it.
        events: Makes its events.
    """

    name: str
    task: str
    events: EventMaker


DETECT: Final = PictureWorker(DETECTION.step_name, DETECTION.name, DetectionEvents())
CLASSIFY: Final = PictureWorker(CLASSIFICATION.step_name, CLASSIFICATION.name, ClassificationEvents())


def own_task(task: str) -> PictureWorker:
    """The worker of a task of the user's own."""
    return PictureWorker(task, task, ResultEvents(task))
