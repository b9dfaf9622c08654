"""What a model says about itself once it is loaded, and whether it does what its manifest promises."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING

from vss.config import ModelSettings
from vss.model_store.resolve import ModelRef

if TYPE_CHECKING:
    from vss.model_store.tasks.series.spec import SeriesSpec


@dataclass(frozen=True, slots=True)
class ModelFacts:
    """What was found in a model.

    Attributes:
        found: What its task says of it: of a detector the `head`, as recognised or as its manifest says.
        input_wh: Width and height of its input, pixels; None of a series model.
        labels: Class names by class id; empty where it tells no classes apart.
        series: What a series model was trained with; None of one that looks at pictures.
    """

    found: Mapping[str, str]
    input_wh: tuple[int, int] | None
    labels: tuple[str, ...]
    series: SeriesSpec | None = None


def read_facts(ref: ModelRef, settings: ModelSettings) -> ModelFacts:
    """Loads a model on the CPU to see what it is; with a smoke input in its manifest, it has to understand that.

    Raises:
        ModelError: It cannot be served.
        ConfigError: What runs it, or its task, is not installed.
    """
    from vss.model_store.runner.open import open_runner  # onnxruntime and OpenCV, half a second of imports
    from vss.model_store.runner.window_runner import WindowRunner
    from vss.model_store.serving.smoke import prove

    # A class filter that names a class of another model is no reason to refuse this one.
    sober = settings.model_copy(update={"device": "cpu", "threads": 1, "classes": None})
    runner = open_runner(ref, sober)
    try:
        prove(runner, ref)
        if isinstance(runner, WindowRunner):
            return ModelFacts(runner.task.facts, None, (), runner.spec)
        return ModelFacts(runner.task.facts, runner.input_wh, runner.labels)
    finally:
        runner.close()
