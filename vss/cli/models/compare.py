"""`vss models compare`."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING

import click

from vss.cli.model_options import fleet_picture_options
from vss.cli.models.frame_options import FrameChoice, counted, frame_options
from vss.cli.models.report import as_json_option
from vss.cli.numbers import FiniteRange
from vss.cli.progress import progress
from vss.config import Settings

if TYPE_CHECKING:
    from vss.model_store.resolve import ModelRef

EXAMPLES = """\b
Example:
  vss models compare gate active 4 --topic frames --from -10m --require 0.98
  vss models compare gate 3 4 pictures/ clip.mp4 --every 25 --save differences/
  vss models compare pump 3 4 readings.csv --require 0.95
  vss models compare yard yolov8n.onnx yolox_nano.onnx street.jpg --json
"""


@click.command(epilog=EXAMPLES, short_help="Run two versions over the same frames and show where they differ.")
@click.argument("name")
@click.argument("a", metavar="A")
@click.argument("b", metavar="B")
@click.argument("inputs", metavar="[INPUT…]", nargs=-1)
@frame_options
@click.option("--require", type=FiniteRange(0, 1), metavar="0..1", help="Exit with 1 when they agree less than this.")
@click.option("--worst", type=click.IntRange(0), default=6, show_default=True, help="Examples to draw; 0 draws none.")
@click.option(
    "--save",
    type=click.Path(file_okay=False, path_type=Path),
    metavar="FOLDER",
    help="Where examples are drawn.  [default: compare-NAME-A-B]",
)
@as_json_option
@fleet_picture_options
def compare(
    settings: Settings,
    name: str,
    a: str,
    b: str,
    inputs: tuple[str, ...],
    choice: FrameChoice,
    require: float | None,
    worst: int,
    save: Path | None,
    as_json: bool,
) -> None:
    """Run versions A and B of a model over the same frames and show where they differ, how fast and how large each is.

    A and B are versions, active (the one that serves now), NAME@VERSION of any model, or files. Frames come from a
    topic, read beside its consumer groups, or from images, folders and videos. Models for anomalies are compared on
    readings: of a CSV file with a head, or of a topic.
    """
    from vss.cli.models.comparison_report import document, report_unreadable, show
    from vss.model_store.comparison.gate import require_agreement
    from vss.model_store.tasks.registry import task_kind
    from vss.workers.offline.compare import compare_versions
    from vss.workers.offline.examples import write_examples
    from vss.workers.offline.version_spec import resolve_version

    refs = (resolve_version(settings, name, a), resolve_version(settings, name, b))
    if all(task_kind(ref.manifest.task).takes == "series" for ref in refs):
        from vss.cli.models.compare_readings import compare_readings

        compare_readings(settings, refs, inputs, choice, require=require, as_json=as_json)
        return
    frames = choice.open(settings, inputs)
    with progress("frames", frames.count()) as advance:
        found = compare_versions(refs, settings.model, counted(frames, advance), worst=worst)
    saved = write_examples(save if save is not None else _folder(name, refs), found)
    report_unreadable(found)
    if as_json:
        click.echo(json.dumps(document(found, saved, require), indent=2))
    else:
        show(found, saved)
    if require is not None:
        require_agreement(found.tally, require, a=found.a.label, b=found.b.label)


def _folder(name: str, refs: tuple[ModelRef, ModelRef]) -> Path:
    safe = "".join(c if c.isalnum() or c in "._-" else "-" for c in name)
    return Path(f"compare-{safe}-{refs[0].version}-{refs[1].version}")
