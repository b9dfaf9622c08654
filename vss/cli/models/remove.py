"""`vss models remove`."""

from __future__ import annotations

import json

import click

from vss.cli.model_options import fleet_store_options
from vss.cli.models.activity import in_use
from vss.cli.models.report import as_json_option
from vss.config import Settings
from vss.errors import ConfigError

EXAMPLES = """\b
Example:
  vss models remove gate@2
  vss models remove gate@2 --offline
"""


@click.command(epilog=EXAMPLES, short_help="Take a version out of the store for ever.")
@click.argument("model", metavar="NAME@VERSION")
@click.option("--offline", is_flag=True, help="Remove it without asking Kafka whether it is active.")
@as_json_option
@fleet_store_options
def remove(settings: Settings, model: str, offline: bool, as_json: bool) -> None:
    """Take one version of a model out of the store for ever; its number is never given again.

    The active version is not removed, nor a canary, nor what a worker would go back to by itself.
    """
    from vss.model_store.store import ModelStore

    name, _, version = model.partition("@")
    if not version.isdecimal():
        raise ConfigError(f"{model} names no version", fix=f"say which: vss models remove {name or 'NAME'}@VERSION")
    store = ModelStore.of(settings.model)
    number = store.remove(name, version, serving=lambda _: () if offline else in_use(settings, name))
    if offline:
        click.secho(f"it was not known whether {name}@{number} is active", fg="yellow", err=True)
    if as_json:
        click.echo(json.dumps({"name": name, "version": number, "left": store.numbers(name)}))
    else:
        click.secho(f"removed {name}@{number}", fg="green", bold=True)
