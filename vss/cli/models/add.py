"""`vss models add`."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING

import click

from vss.cli.model_options import store_options
from vss.cli.models.report import as_json_option, document, print_facts, run_hint
from vss.cli.progress import transfer_bar
from vss.config import Settings

if TYPE_CHECKING:
    from vss.model_store.facts import ModelFacts

EXAMPLES = """\b
Example:
  vss models add best.onnx --name gate
  vss models add yolox.onnx --name yard --labels labels.txt --head yolox
  vss models add net.pth --name parts --task classification --architecture resnet20-cifar --input width=32
  vss models add pump.onnx --name pump
  vss models add best.onnx --name gate --smoke night.jpg --smoke-expect person --store s3://fleet/models
"""


@click.command(epilog=EXAMPLES, short_help="Check a model file and copy it into the store.")
@click.argument("file", type=click.Path(path_type=Path))
@click.option("--name", required=True, help="Of the model; a new file under a known name is its next version.")
@click.option(
    "--task",
    help="detection, classification, anomaly, forecast or your own.  [default: what the file says, else detection]",
)
@click.option("--labels", metavar="FILE|A,B,…", help="Class names by class id: a file with one a line, or a list.")
@click.option("--head", help="yolov5, yolov8, yolox or end_to_end.  [default: recognised]")
@click.option("--architecture", help="What a PyTorch state dict is loaded into: resnet20-cifar, a name of torchvision.")
@click.option(
    "--input", "inputs", multiple=True, metavar="KEY=VALUE", help="A key of the manifest's input; repeatable."
)
@click.option(
    "--smoke",
    type=click.Path(path_type=Path),
    metavar="IMAGE",
    help="A picture each version is tried on before it serves.",
)
@click.option("--smoke-expect", metavar="A,B,…", help="Classes that must be found in it.")
@as_json_option
@store_options
def add(
    settings: Settings,
    file: Path,
    name: str,
    task: str | None,
    labels: str | None,
    head: str | None,
    architecture: str | None,
    inputs: tuple[str, ...],
    smoke: Path | None,
    smoke_expect: str | None,
    as_json: bool,
) -> None:
    """Copy a model file into the store as the next version of a model, after checking that it can be served.

    FILE is ONNX, a PyTorch state dict (.pth), TorchScript (.pt) or a program of torch.export (.pt2).
    """
    from vss.model_store.facts import read_facts
    from vss.model_store.manifest_options import manifest_of
    from vss.model_store.store import ModelStore

    manifest = manifest_of(
        file,
        task=task,
        labels=labels,
        head=head,
        architecture=architecture,
        inputs=inputs,
        smoke=smoke,
        smoke_expect=smoke_expect,
    )
    found: list[ModelFacts] = []
    with transfer_bar(f"adding {name}") as progress:
        ref = ModelStore.of(settings.model).add(
            file,
            name,
            manifest,
            check=lambda copy: found.append(read_facts(copy, settings.model)),
            smoke=smoke,
            progress=progress,
        )
    if as_json:
        click.echo(json.dumps(document(ref, found[0])))
        return
    click.secho(f"added {ref.name}@{ref.version}", fg="green", bold=True)
    print_facts(ref, found[0])
    click.secho(run_hint(ref), dim=True)
