"""`vss models export`."""

from __future__ import annotations

import json
import tempfile
from contextlib import AbstractContextManager
from pathlib import Path
from typing import TYPE_CHECKING

import click

from vss.cli.model_options import store_options
from vss.cli.models.report import as_json_option, size_text
from vss.config import Settings
from vss.errors import ConfigError

if TYPE_CHECKING:
    from vss.model_store.export import Exported
    from vss.model_store.resolve import ModelRef

EXAMPLES = """\b
Example:
  vss models export birds --add
  vss models export birds@2 --output birds.onnx
  vss models export resnet.pth
"""


@click.command(epilog=EXAMPLES, short_help="Convert a PyTorch model to ONNX and hold it against the original.")
@click.argument("model", metavar="NAME[@VERSION]|FILE")
@click.option(
    "--output", type=click.Path(path_type=Path), metavar="FILE", help="What to write.  [default: the model's name.onnx]"
)
@click.option("--add", is_flag=True, help="Make it the next version of the model instead of a file.")
@as_json_option
@store_options
def export(settings: Settings, model: str, output: Path | None, add: bool, as_json: bool) -> None:
    """Convert a model of PyTorch to an ONNX file that takes any number of pictures.

    Both are run on the same random inputs, and a file whose outputs differ by 0.0001 or more is not written.
    """
    if add and output is not None:
        raise ConfigError("--add makes a version of the store, --output a file", fix="give one of them")
    from vss.model_store.export import export_to_onnx
    from vss.model_store.resolve import resolve_model

    ref = resolve_model(model, settings.model)
    if not add:
        with _working(ref):
            exported = export_to_onnx(ref, settings.model, output or Path(f"{ref.name}.onnx"))
        _print(ref, exported, as_json=as_json)
        return
    with tempfile.TemporaryDirectory(prefix="vss-export-") as folder:
        with _working(ref):
            exported = export_to_onnx(ref, settings.model, Path(folder) / f"{ref.name}.onnx")
            added = _added(settings, ref, exported.file)
        _print(ref, exported, as_json=as_json, added=added)


def _working(ref: ModelRef) -> AbstractContextManager[object]:
    """Shows on a terminal that work goes on: the exporter takes ten seconds or more and tells no progress."""
    from rich.console import Console

    return Console(stderr=True).status(f"exporting {ref.name}@{ref.version} and comparing …")


def _added(settings: Settings, ref: ModelRef, file: Path) -> ModelRef:
    from vss.model_store.facts import read_facts
    from vss.model_store.store import ModelStore

    return ModelStore.of(settings.model).add(
        file, ref.name, ref.manifest, check=lambda copy: read_facts(copy, settings.model), smoke=ref.smoke
    )


def _print(ref: ModelRef, exported: Exported, *, as_json: bool, added: ModelRef | None = None) -> None:
    file = added.file if added is not None else exported.file
    if as_json:
        document = {
            "model": f"{ref.name}@{ref.version}",
            "file": str(file),
            "version": added.version if added is not None else None,
            "size_bytes": exported.size_bytes,
            "opset": exported.opset,
            "input_shape": list(exported.input_shape),
            "max_difference": exported.difference,
        }
        click.echo(json.dumps(document))
        return
    made = f"{added.name}@{added.version}" if added is not None else str(exported.file)
    click.secho(f"exported {ref.name}@{ref.version} to {made}", fg="green", bold=True)
    shape = " × ".join("any" if n is None else str(n) for n in exported.input_shape)
    for title, value in (
        ("input", shape),
        ("opset", exported.opset),
        ("difference", f"{exported.difference:.2g} at most, on random inputs"),
        ("file", f"{file} ({size_text(exported.size_bytes)})"),
    ):
        click.echo(f"  {title:<11} {value}")
