"""`vss models show`."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING, Final

import click

from vss.cli.model_options import fleet_store_options
from vss.cli.models.activity import role_of, states_or_note
from vss.cli.models.report import as_json_option, document, print_facts
from vss.cli.progress import transfer_bar
from vss.config import Settings

if TYPE_CHECKING:
    from vss.model_store.resolve import ModelRef
    from vss.model_store.store import ModelStore

CURVES_FILE: Final = "training.png"
EXAMPLES = """\b
Example:
  vss models show gate
  vss models show gate@2 --json
  vss models show best.onnx
  vss models show pump --curves pump.png
"""


@click.command(epilog=EXAMPLES, short_help="Check a model, load it, and show what it is.")
@click.argument("model", metavar="NAME[@VERSION]|FILE")
@click.option(
    "--curves",
    type=click.Path(dir_okay=False, path_type=Path),
    metavar="FILE",
    help="Write the training curves that were stored with the version there, a PNG.",
)
@as_json_option
@fleet_store_options
def show(settings: Settings, model: str, curves: Path | None, as_json: bool) -> None:
    """Check one model against its checksum, load it, and show what it is, and whether it serves."""
    from vss.errors import ConfigError
    from vss.model_store.facts import read_facts
    from vss.model_store.layout import is_file_spec
    from vss.model_store.resolve import resolve_model
    from vss.model_store.store import ModelStore

    with transfer_bar(f"fetching {model}") as progress:
        ref = resolve_model(model, settings.model, progress=progress)
    facts = read_facts(ref, settings.model)
    extras = None if is_file_spec(model) else ModelStore.of(settings.model).extras(ref.name, ref.version)
    if curves is not None:
        if extras is None:
            raise ConfigError("nothing is stored with a file", fix="name a model of the store with --curves")
        _copy_out(ModelStore.of(settings.model), ref, curves)
    states = None if is_file_spec(model) else states_or_note(settings)
    role = role_of(ref.version, states.get(ref.name)) if states is not None else None
    if as_json:
        stored = {"stored_with": extras} if extras else {}
        click.echo(json.dumps(document(ref, facts) | stored | ({"serves": role} if states is not None else {})))
        return
    click.secho(f"{ref.name}@{ref.version}", bold=True, nl=False)
    click.secho(f"  {role}" if role is not None else "", fg="green")
    print_facts(ref, facts)
    if extras:
        click.echo(f"  {'stored with':<11} {', '.join(_where(settings, ref, name) for name in extras)}")
    if curves is not None:
        click.secho(f"wrote {curves}", fg="green")


def _where(settings: Settings, ref: ModelRef, file_name: str) -> str:
    from vss.model_store.store import ModelStore

    return ModelStore.of(settings.model).place.where(ref.name, f"{ref.version}/{file_name}")


def _copy_out(store: ModelStore, ref: ModelRef, file: Path) -> None:
    from vss.errors import ConfigError

    content = store.read_extra(ref.name, ref.version, CURVES_FILE)
    try:
        file.write_bytes(content)
    except OSError as error:
        raise ConfigError(f"cannot write {file}: {error.strerror}", fix="name a file you may write") from error
