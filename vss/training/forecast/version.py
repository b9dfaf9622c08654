"""From readings to the next version of a forecast in the store."""

from __future__ import annotations

import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

from vss.config import ModelSettings
from vss.model_store.resolve import ModelRef
from vss.training.data.series import TrainingData
from vss.training.forecast.picture import draw_forecast
from vss.training.forecast.settings import ForecastSettings
from vss.training.forecast.train import TASK, Made, train_forecast, training_record
from vss.training.registering import register

if TYPE_CHECKING:
    from vss.training.forecast.candidates import Candidate, OnEpoch


def train_version(
    data: TrainingData,
    settings: ForecastSettings,
    name: str,
    store: ModelSettings,
    *,
    created: str,
    clock: Callable[[], float],
    on_epoch: OnEpoch | None = None,
    on_trained: Callable[[Candidate], None] | None = None,
) -> tuple[Made, ModelRef]:
    """Trains a forecast and makes it the next version; nothing is activated.

    Args:
        data: Readings.
        settings: What to train.
        name: Of the model; new or known.
        store: Which store.
        created: When, RFC 3339.
        clock: Monotonic seconds.
        on_epoch: Told of each epoch.
        on_trained: Told of each architecture.

    Raises:
        ConfigError: Nothing can be learnt from the data, the name is none, or what trains is not installed.
        ModelError: The file does not do what was trained, or cannot be served.
        StoreUnavailable: The store does not answer.
    """
    with tempfile.TemporaryDirectory(prefix="vss-train-") as folder:
        made = train_forecast(
            data,
            settings,
            Path(folder),
            created=created,
            clock=clock,
            on_epoch=on_epoch,
            on_trained=on_trained,
        )
        picture = Path(folder) / "training.png"
        draw_forecast(picture, made, settings.level)
        ref = register(made.file, name, TASK, store, training_record(data, settings, made), picture)
    return made, ref
