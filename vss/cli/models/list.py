"""`vss models list`."""

from __future__ import annotations

import json
import sys
from collections.abc import Mapping
from typing import TYPE_CHECKING

import click

from vss.cli.model_options import fleet_store_options
from vss.cli.models.activity import role_of, states_or_note
from vss.cli.models.report import as_json_option, size_text, summary, time_text
from vss.config import Settings
from vss.errors import ModelError

if TYPE_CHECKING:
    from vss.model_store.storage.place import StoredVersion
    from vss.model_store.store import ModelStore
    from vss.streams.activation_state import ActivationState

EXAMPLES = """\b
Example:
  vss models list
  vss models list --store s3://fleet/models
  vss models list --json | jq -r '.[].name'
"""


@click.command("list", epilog=EXAMPLES)
@as_json_option
@fleet_store_options
def list_(settings: Settings, as_json: bool) -> None:
    """List the models of the store, and which versions serve."""
    from vss.model_store.store import ModelStore

    store = ModelStore.of(settings.model)
    versions, damaged = _read(store)
    for name, error in damaged.items():
        click.secho(f"{name} cannot be listed: {error}", fg="red", err=True)
    states = states_or_note(settings) if versions else {}
    if as_json:
        known = states if states is not None else {}
        roles = {
            name: {one.version: role_of(str(one.version), known.get(name)) for one in versions[name]}
            for name in versions
        }
        rows = [summary(name, held, roles[name] if states is not None else None) for name, held in versions.items()]
        click.echo(json.dumps(rows))
    elif versions:
        _show(versions, states)
    elif not damaged:
        click.echo(f"no models in {store.shown}; add one with `vss models add FILE --name NAME`", err=True)
    if damaged:
        sys.exit(1)


def _read(store: ModelStore) -> tuple[dict[str, list[StoredVersion]], dict[str, ModelError]]:
    """What there is of each model, and why it cannot be said of some: one that is damaged hides no other."""
    versions: dict[str, list[StoredVersion]] = {}
    damaged: dict[str, ModelError] = {}
    for name in store.names():
        try:
            held = store.versions(name)
        except ModelError as error:
            damaged[name] = error
        else:
            if held:  # the last may have been removed meanwhile
                versions[name] = held
    return versions, damaged


def _show(versions: Mapping[str, list[StoredVersion]], states: Mapping[str, ActivationState] | None) -> None:
    table = [("NAME", "LATEST", "SERVES", "VERSIONS", "SIZE", "ADDED")]
    table += [
        (
            name,
            str(held[-1].version),
            _serves(states.get(name)) if states is not None else "?",
            str(len(held)),
            size_text(held[-1].size_bytes),
            time_text(held[-1].added_ns) if held[-1].added_ns else "-",
        )
        for name, held in versions.items()
    ]
    widths = [max(len(row[column]) for row in table) for column in range(len(table[0]))]
    for row in table:
        click.echo("  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip())


def _serves(state: ActivationState | None) -> str:
    """`3`, `3, 4 for 10%`; where nothing was activated the latest serves."""
    if state is None:
        return "latest"
    serving = state.serving or "-"
    activation = state.activation
    return f"{serving}, {activation.version} for {activation.percent}%" if state.is_canary else serving
