"""`vss models show`."""

from __future__ import annotations

import json

import click

from vss.cli.model_options import fleet_store_options
from vss.cli.models.activity import role_of, states_or_note
from vss.cli.models.report import as_json_option, document, print_facts
from vss.cli.progress import transfer_bar
from vss.config import Settings

EXAMPLES = """\b
Example:
  vss models show gate
  vss models show gate@2 --json
  vss models show best.onnx
"""


@click.command(epilog=EXAMPLES, short_help="Check a model, load it, and show what it is.")
@click.argument("model", metavar="NAME[@VERSION]|FILE")
@as_json_option
@fleet_store_options
def show(settings: Settings, model: str, as_json: bool) -> None:
    """Check one model against its checksum, load it, and show what it is, and whether it serves."""
    from vss.model_store.facts import read_facts
    from vss.model_store.layout import is_file_spec
    from vss.model_store.resolve import resolve_model

    with transfer_bar(f"fetching {model}") as progress:
        ref = resolve_model(model, settings.model, progress=progress)
    facts = read_facts(ref, settings.model)
    states = None if is_file_spec(model) else states_or_note(settings)
    role = role_of(ref.version, states.get(ref.name)) if states is not None else None
    if as_json:
        click.echo(json.dumps(document(ref, facts) | ({"serves": role} if states is not None else {})))
        return
    click.secho(f"{ref.name}@{ref.version}", bold=True, nl=False)
    click.secho(f"  {role}" if role is not None else "", fg="green")
    print_facts(ref, facts)
