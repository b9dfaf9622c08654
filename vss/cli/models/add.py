"""`vss models add`."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING

import click

from vss.cli.model_options import store_options
from vss.cli.models.report import as_json_option, document, print_facts
from vss.config import Settings

if TYPE_CHECKING:
    from vss.model_store.facts import ModelFacts

EXAMPLES = """\b
Example:
  vss models add best.onnx --name gate
  vss models add yolox.onnx --name yard --labels labels.txt --head yolox
"""


@click.command(epilog=EXAMPLES, short_help="Check an ONNX file and copy it into the store.")
@click.argument("file", type=click.Path(path_type=Path))
@click.option("--name", required=True, help="Of the model; a new file under a known name is its next version.")
@click.option("--labels", metavar="FILE|A,B,…", help="Class names by class id: a file with one a line, or a list.")
@click.option("--head", help="yolov5, yolov8, yolox or end_to_end.  [default: recognised]")
@as_json_option
@store_options
def add(settings: Settings, file: Path, name: str, labels: str | None, head: str | None, as_json: bool) -> None:
    """Copy an ONNX file into the store as the next version of a model, after checking that it can be served."""
    from vss.model_store.facts import read_facts
    from vss.model_store.labels import parse_labels
    from vss.model_store.manifest import with_changes
    from vss.model_store.resolve import manifest_beside
    from vss.model_store.store import ModelStore

    changes = {"labels": parse_labels(labels) if labels is not None else None, "head": head}
    manifest = with_changes(manifest_beside(file), changes)
    found: list[ModelFacts] = []
    ref = ModelStore.of(settings.model).add(
        file, name, manifest, check=lambda copy: found.append(read_facts(copy, settings.model))
    )
    if as_json:
        click.echo(json.dumps(document(ref, found[0])))
        return
    click.secho(f"added {ref.name}@{ref.version}", fg="green", bold=True)
    print_facts(ref, found[0])
    click.secho(f"run it with `vss worker detect --model {ref.name}`", dim=True)
