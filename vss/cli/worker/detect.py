"""`vss worker detect`."""

from __future__ import annotations

from typing import Any

import click

from vss.cli.model_options import cascade_options, detect_worker_options
from vss.cli.worker.options import frame_worker_options, model_option, with_worker_flags
from vss.config import Settings

EXAMPLES = """\b
Example:
  vss worker detect --model yolov8n.onnx
  vss worker detect --model gate@3 --classes person,car --conf 0.4
  vss worker detect --model gate --then makes --then-classes car,truck
  vss worker detect --model gate --device cuda --group night-shift
"""


@click.command(epilog=EXAMPLES)
@model_option
@cascade_options
@detect_worker_options
@frame_worker_options
def detect(
    settings: Settings,
    spec: str,
    then: str | None,
    then_classes: tuple[str, ...] | None,
    metrics_port: int,
    **flags: Any,
) -> None:
    """Detect objects in frames: one event a frame into vss.detections, exactly once.

    With --then a second model classifies each object, in one call for all that a micro-batch holds: the object carries
    what it says, and vss.classifications has an event for it.
    """
    from vss.errors import ConfigError
    from vss.workers.pictures.kinds import DETECT
    from vss.workers.pictures.known_classes import check_classes_of
    from vss.workers.programs import run_pictures

    if then is None and then_classes is not None:
        raise ConfigError("--then-classes without --then", fix="name the classifier with --then")
    if then_classes is not None:
        check_classes_of(spec, settings.model, then_classes)
    run_pictures(
        with_worker_flags(settings, **flags),
        DETECT,
        spec=spec,
        metrics_port=metrics_port,
        then=then,
        then_classes=then_classes,
    )
