"""A model served as workers serve it, but found where the bench has it."""

from __future__ import annotations

from pathlib import Path

from vss.config import ModelSettings
from vss.logs import get_logger
from vss.metrics import Metrics
from vss.model_store.resolve import ModelRef
from vss.model_store.serving.serving import Serving


class OneModel:
    """Finds one version, whatever it is asked for (see `Finder`).

    Args:
        ref: The version.
    """

    def __init__(self, ref: ModelRef) -> None:
        self._ref = ref

    def knows(self, name: str) -> bool:
        """See `Finder.knows`."""
        return name == self._ref.name

    def find(self, _name: str, _version: str) -> ModelRef:
        """See `Finder.find`."""
        return self._ref

    def file(self, _path: Path) -> ModelRef:
        """See `Finder.file`."""
        return self._ref


def serve_one(ref: ModelRef, settings: ModelSettings, metrics: Metrics) -> Serving:
    """Loads a model, warms it up and serves it. Without the result cache: a bench's frames repeat.

    Raises:
        ModelError: It cannot be served.
    """
    serving = Serving.of(settings, metrics=metrics, logger=get_logger("bench"), finder=OneModel(ref))
    try:
        serving.serve(f"{ref.name}@{ref.version}", ref.manifest.task)
    except BaseException:
        serving.close()
        raise
    return serving
