"""`vss models add`, `vss models list` and `vss models show`."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from vss.cli.model_options import store_options
from vss.config import Settings

if TYPE_CHECKING:
    from vss.model_store.facts import ModelFacts
    from vss.model_store.resolve import ModelRef
    from vss.model_store.store import StoredVersion

ADD_EXAMPLES = """\b
Example:
  vss models add best.onnx --name gate
  vss models add yolox.onnx --name yard --labels labels.txt --head yolox
"""
LIST_EXAMPLES = """\b
Example:
  vss models list
  vss models list --json | jq -r '.[].name'
"""
SHOW_EXAMPLES = """\b
Example:
  vss models show gate
  vss models show gate@2 --json
  vss models show best.onnx
"""

as_json_option = click.option("--json", "as_json", is_flag=True, help="Print JSON for machines.")


@click.group()
def models() -> None:
    """Add, list and show models of the store."""


@models.command(epilog=ADD_EXAMPLES, short_help="Check an ONNX file and copy it into the store.")
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
    ref = ModelStore(settings.model.store).add(
        file, name, manifest, check=lambda copy: found.append(read_facts(copy, settings.model))
    )
    if as_json:
        click.echo(json.dumps(_document(ref, found[0])))
        return
    click.secho(f"added {ref.name}@{ref.version}", fg="green", bold=True)
    _print_facts(ref, found[0])
    click.secho(f"run it with `vss worker detect --model {ref.name}`", dim=True)


@models.command("list", epilog=LIST_EXAMPLES)
@as_json_option
@store_options
def list_(settings: Settings, as_json: bool) -> None:
    """List the models of the store."""
    from vss.model_store.store import ModelStore

    store = ModelStore(settings.model.store)
    versions = {name: store.versions(name) for name in store.names()}
    if as_json:
        click.echo(json.dumps([_summary(name, held) for name, held in versions.items()]))
        return
    if not versions:
        click.echo(f"no models in {store.folder}; add one with `vss models add FILE --name NAME`", err=True)
        return
    rows = [("NAME", "LATEST", "VERSIONS", "SIZE", "ADDED")]
    rows += [
        (name, str(held[-1].version), str(len(held)), _size(held[-1].size_bytes), _when(held[-1].added_ns))
        for name, held in versions.items()
    ]
    widths = [max(len(row[column]) for row in rows) for column in range(len(rows[0]))]
    for row in rows:
        click.echo("  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip())


@models.command(epilog=SHOW_EXAMPLES, short_help="Check a model, load it, and show what it is.")
@click.argument("model", metavar="NAME[@VERSION]|FILE")
@as_json_option
@store_options
def show(settings: Settings, model: str, as_json: bool) -> None:
    """Check one model against its checksum, load it, and show what it is."""
    from vss.model_store.facts import read_facts
    from vss.model_store.resolve import resolve_model

    ref = resolve_model(model, settings.model.store)
    facts = read_facts(ref, settings.model)
    if as_json:
        click.echo(json.dumps(_document(ref, facts)))
        return
    click.secho(f"{ref.name}@{ref.version}", bold=True)
    _print_facts(ref, facts)


def _document(ref: ModelRef, facts: ModelFacts) -> dict[str, Any]:
    from vss.model_store.checksums import sha256_of

    return {
        "name": ref.name,
        "version": ref.version,
        "file": str(ref.file),
        "size_bytes": ref.file.stat().st_size,
        "sha256": sha256_of(ref.file),
        "task": ref.manifest.task,
        "head": facts.head,
        "input": {"width": facts.input_wh[0], "height": facts.input_wh[1]},
        "labels": list(facts.labels),
        "manifest": ref.manifest.model_dump(mode="json"),
    }


def _summary(name: str, held: list[StoredVersion]) -> dict[str, Any]:
    return {
        "name": name,
        "latest": held[-1].version,
        "versions": [
            {
                "version": one.version,
                "size_bytes": one.size_bytes,
                "sha256": one.sha256,
                "added": _when(one.added_ns),
            }
            for one in held
        ],
    }


def _print_facts(ref: ModelRef, facts: ModelFacts) -> None:
    shown = ", ".join(facts.labels[:6]) + (", …" if len(facts.labels) > 6 else "")
    thresholds = ref.manifest.thresholds
    for title, value in (
        ("task", ref.manifest.task),
        ("head", facts.head),
        ("input", f"{facts.input_wh[0]} × {facts.input_wh[1]}"),
        ("classes", f"{len(facts.labels)}: {shown}"),
        ("thresholds", f"confidence {thresholds.confidence}, iou {thresholds.iou}"),
        ("file", f"{ref.file} ({_size(ref.file.stat().st_size)})"),
    ):
        click.echo(f"  {title:<11} {value}")


def _size(size_bytes: int) -> str:
    return f"{size_bytes / 1e6:.1f} MB" if size_bytes >= 100_000 else f"{size_bytes / 1e3:.1f} kB"


def _when(time_ns: int) -> str:
    from vss.codecs.headers import format_time

    return format_time(time_ns)[:19] + "Z"
