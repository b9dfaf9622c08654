"""`vss worker task`."""

from __future__ import annotations

from typing import Any

import click

from vss.cli.model_options import task_worker_options
from vss.cli.worker.options import frame_worker_options, model_option, with_worker_flags
from vss.config import Settings

EXAMPLES = """\b
Example:
  vss worker task --model brightness.onnx
  vss worker task --model brightness@2 --group night-shift
"""


@click.command(epilog=EXAMPLES)
@model_option
@task_worker_options
@frame_worker_options
def task(settings: Settings, spec: str, metrics_port: int, **flags: Any) -> None:
    """Do with frames what a task of your own does: one event a frame into vss.results, exactly once.

    The model's model.yaml names the task, and an installed package offers it as an entry point of the group vss.tasks.
    """
    from vss.workers.pictures.own_task import own_task_of
    from vss.workers.programs import run_pictures

    worker = own_task_of(spec, settings.model)
    run_pictures(with_worker_flags(settings, **flags), worker, spec=spec, metrics_port=metrics_port)
