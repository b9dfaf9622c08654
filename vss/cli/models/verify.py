"""`vss models verify`."""

from __future__ import annotations

import json
import sys
from collections.abc import Iterator
from typing import TYPE_CHECKING

import click

from vss.cli.model_options import store_options
from vss.cli.models.report import as_json_option
from vss.cli.progress import transfer_bar
from vss.config import Settings

if TYPE_CHECKING:
    from vss.model_store.store import Checked, ModelStore

EXAMPLES = """\b
Example:
  vss models verify
  vss models verify gate
  vss models verify gate@2 --json
"""


@click.command(epilog=EXAMPLES, short_help="Compare models with the checksums they were stored with.")
@click.argument("model", metavar="[NAME[@VERSION]]", required=False)
@as_json_option
@store_options
def verify(settings: Settings, model: str | None, as_json: bool) -> None:
    """Read every version, one model's or one, where it lies, and compare it with the checksum it was stored with.

    Ends with 1 when one differs.
    """
    from vss.model_store.store import ModelStore

    found = []
    for one in _checked(ModelStore.of(settings.model), model):
        found.append(one)
        if not as_json:
            word = click.style("differs", fg="red") if one.problem else click.style("as stored", fg="green")
            click.echo(f"{one.name}@{one.version}  {word}{f'  {one.problem}' if one.problem else ''}")
    if as_json:
        rows = [
            {"name": one.name, "version": one.version, "ok": not one.problem, "problem": one.problem} for one in found
        ]
        click.echo(json.dumps(rows))
    bad = sum(bool(one.problem) for one in found)
    click.echo(f"{len(found)} checked, {bad or 'none'} differing" if found else "no models", err=True)
    if bad:
        sys.exit(1)


def _checked(store: ModelStore, model: str | None) -> Iterator[Checked]:
    name, at, version = (model or "").partition("@")
    for one in [name] if model is not None else store.names():
        with transfer_bar(one) as progress:
            yield from store.verify(one, version if at else None, progress=progress)
