"""A model served as workers serve it, but found where the bench has it."""

from __future__ import annotations

from pathlib import Path
from typing import Final

from vss.config import ModelSettings
from vss.errors import ModelUnsupported
from vss.logs import get_logger
from vss.metrics import Metrics
from vss.model_store.resolve import ModelRef
from vss.model_store.serving.serving import Serving

_BENCHES: Final = {"detection": "vss bench detect", "classification": "vss bench classify"}


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


def require_task(ref: ModelRef, task: str) -> None:
    """Refuses a model that the measured worker cannot ask.

    Raises:
        ModelUnsupported: It is for another task.
    """
    found = ref.manifest.task
    if found != task:
        bench = _BENCHES.get(found)
        raise ModelUnsupported(
            f"model {ref.name} is for {found}, not for {task}",
            fix=f"name a model for {task}" + (f", or measure this one with `{bench}`" if bench else ""),
        )


def serve_one(ref: ModelRef, settings: ModelSettings, metrics: Metrics, *, task: str) -> Serving:
    """Loads a model, warms it up and serves it. Without the result cache: a bench's frames repeat.

    Raises:
        ModelError: It cannot be served.
    """
    serving = Serving.of(settings, metrics=metrics, logger=get_logger("bench"), finder=OneModel(ref))
    try:
        serving.serve(f"{ref.name}@{ref.version}", task)
    except BaseException:
        serving.close()
        raise
    return serving
