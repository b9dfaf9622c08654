"""Which worker a model with a task of the user's own needs."""

from __future__ import annotations

from vss.config import ModelSettings
from vss.errors import ConfigError
from vss.model_store.resolve import resolve_model
from vss.workers.pictures.kinds import CLASSIFY, DETECT, PictureWorker, own_task


def own_task_of(spec: str, settings: ModelSettings) -> PictureWorker:
    """The worker for the task that a model's manifest names.

    Args:
        spec: `NAME`, `NAME@VERSION` or a file.
        settings: Where models are.

    Raises:
        ModelError: There is no such model.
        ConfigError: It does what a worker of its own is for.
    """
    task = resolve_model(spec, settings).manifest.task
    for ours in (DETECT, CLASSIFY):
        if task == ours.task:
            raise ConfigError(
                f"the task of {spec} is {task}",
                fix=f"run `vss worker {ours.name}`, or name your task in the model's model.yaml",
            )
    return own_task(task)
