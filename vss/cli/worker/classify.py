"""`vss worker classify`."""

from __future__ import annotations

from typing import Any

import click

from vss.cli.model_options import classify_worker_options
from vss.cli.worker.options import frame_worker_options, model_option, with_worker_flags
from vss.config import Settings

EXAMPLES = """\b
Example:
  vss worker classify --model makes
  vss worker classify --model makes@3 --top-k 1 --features pooled
"""


@click.command(epilog=EXAMPLES)
@model_option
@classify_worker_options
@frame_worker_options
def classify(settings: Settings, spec: str, metrics_port: int, **flags: Any) -> None:
    """Classify whole frames: one event a frame into vss.classifications, exactly once."""
    from vss.workers.pictures.kinds import CLASSIFY
    from vss.workers.programs import run_pictures

    run_pictures(with_worker_flags(settings, **flags), CLASSIFY, spec=spec, metrics_port=metrics_port)
