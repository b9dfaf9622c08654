"""`vss bench accuracy`."""

from __future__ import annotations

import dataclasses
import json
from pathlib import Path

import click

from vss.cli.bench.options import json_option, model_option
from vss.cli.options import fleet_options
from vss.cli.progress import progress
from vss.config import Settings

EXAMPLES = """\b
Example:
  vss bench accuracy --model yolov8n.onnx coco128
  vss bench accuracy --model yolov8n.onnx coco128 --reference found_by_another.json --json
"""


@click.command(epilog=EXAMPLES)
@model_option
@click.argument("folder", type=click.Path(path_type=Path))
@click.option(
    "--reference",
    type=click.Path(path_type=Path),
    help="JSON of what another program found with this model, to compare box by box.",
)
@json_option
@fleet_options
def accuracy(settings: Settings, spec: str, folder: Path, reference: Path | None, as_json: bool) -> None:
    """Measure whether a model's boxes are right.

    FOLDER holds images/*.jpg and, in YOLO's format, labels/*.txt. Prints mean average precision as COCO defines it.
    """
    from vss.bench.accuracy import bench_accuracy
    from vss.logs import configure
    from vss.model_store.resolve import resolve_model

    configure(level="WARNING")
    ref = resolve_model(spec, settings.model)
    with progress("pictures") as advance:
        report = bench_accuracy(ref, settings.model, folder, reference=reference, on_pictures=advance)
    if as_json:
        click.echo(json.dumps(dataclasses.asdict(report), indent=2))
        return
    click.echo(f"{report.model}: {report.pictures} pictures")
    if (precision := report.precision) is not None:
        click.echo(
            f"mAP50-95 {precision.map50_95:.3f}, mAP50 {precision.map50:.3f}"
            f" ({precision.objects} objects of {precision.classes} classes)"
        )
    if (agreement := report.agreement) is not None:
        click.echo(
            f"{agreement.matched} of {agreement.reference} boxes of the reference matched"
            f" ({agreement.matched_share:.2%}), {agreement.extra} extra ({agreement.extra_share:.2%})"
        )
