"""What a model says about itself once it is loaded."""

from __future__ import annotations

from dataclasses import dataclass

from vss.config import ModelSettings
from vss.model_store.resolve import ModelRef


@dataclass(frozen=True, slots=True)
class ModelFacts:
    """What was found in a model.

    Attributes:
        head: Layout of its output, as recognised or as its manifest says.
        input_wh: Width and height of its input, pixels.
        labels: Class names by class id.
    """

    head: str
    input_wh: tuple[int, int]
    labels: tuple[str, ...]


def read_facts(ref: ModelRef, settings: ModelSettings) -> ModelFacts:
    """Loads a model on the CPU to see what it is.

    Raises:
        ModelError: It cannot be served.
    """
    from vss.model_store.runner.runner import Runner  # onnxruntime and OpenCV, half a second of imports

    # A class filter that names a class of another model is no reason to refuse this one.
    sober = settings.model_copy(update={"device": "cpu", "threads": 1, "classes": None})
    runner = Runner.load(ref, sober)
    try:
        return ModelFacts(runner.task.facts.get("head", ""), runner.input_wh, runner.labels)
    finally:
        runner.close()
