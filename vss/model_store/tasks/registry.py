"""The tasks that a manifest may name."""

from __future__ import annotations

from vss.errors import ConfigError
from vss.model_store.tasks.task import TaskKind


def task_kind(name: str) -> TaskKind:
    """The task of that name.

    Raises:
        ConfigError: There is none; names the nearest.
    """
    if name == "detection":
        from vss.model_store.tasks.detection.task import DETECTION

        return DETECTION
    raise ConfigError(f"unknown task {name!r}", fix="did you mean detection?")
