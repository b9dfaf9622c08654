"""`vss models list`."""

from __future__ import annotations

import json

import click

from vss.cli.model_options import store_options
from vss.cli.models.report import as_json_option, size_text, summary, time_text
from vss.config import Settings

EXAMPLES = """\b
Example:
  vss models list
  vss models list --json | jq -r '.[].name'
"""


@click.command("list", epilog=EXAMPLES)
@as_json_option
@store_options
def list_(settings: Settings, as_json: bool) -> None:
    """List the models of the store."""
    from vss.model_store.store import ModelStore

    store = ModelStore.of(settings.model)
    versions = {name: store.versions(name) for name in store.names()}
    if as_json:
        click.echo(json.dumps([summary(name, held) for name, held in versions.items()]))
        return
    if not versions:
        click.echo(f"no models in {store.shown}; add one with `vss models add FILE --name NAME`", err=True)
        return
    rows = [("NAME", "LATEST", "VERSIONS", "SIZE", "ADDED")]
    rows += [
        (name, str(held[-1].version), str(len(held)), size_text(held[-1].size_bytes), time_text(held[-1].added_ns))
        for name, held in versions.items()
    ]
    widths = [max(len(row[column]) for row in rows) for column in range(len(rows[0]))]
    for row in rows:
        click.echo("  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip())
