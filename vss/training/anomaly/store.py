"""Makes a detector the next version of a model, with its training and a picture of it beside."""

from __future__ import annotations

from vss.config import ModelSettings
from vss.model_store.resolve import ModelRef
from vss.training.anomaly.detector import Detector, DetectorSettings
from vss.training.anomaly.train import TASK, training_record
from vss.training.curves import Histogram, draw_training
from vss.training.data.series import TrainingData
from vss.training.registering import PICTURE_FILE, register


def add_detector(
    made: Detector, data: TrainingData, wanted: DetectorSettings, name: str, settings: ModelSettings
) -> ModelRef:
    """Adds a version; it is never activated.

    Args:
        made: The detector.
        data: What it was trained on.
        wanted: How it was trained.
        name: Of the model.
        settings: Which store.

    Raises:
        ConfigError: The name is none, or a model of another task has it.
        StoreUnavailable: The store does not answer.
    """
    picture = made.file.with_name(PICTURE_FILE)
    curves = {part: one.curves for part, one in made.parts.items() if one.curves is not None}
    histogram = Histogram(made.scores, made.calibrated.threshold) if len(made.scores) else None
    draw_training(picture, curves, histogram)
    return register(made.file, name, TASK, settings, training_record(data, wanted, made), picture)
