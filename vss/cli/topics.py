"""`vss topics create|list|describe`."""

from __future__ import annotations

import json
import sys
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import click

from vss.cli.options import fleet_options
from vss.config import Settings
from vss.errors import ConfigError

if TYPE_CHECKING:
    from vss.schemas.topics import Topic
    from vss.streams.topic_admin import TopicState

CREATE_EXAMPLES = """\b
Example:
  vss topics create
  vss topics create frames detections --partitions 16
  vss topics create --repair --json
"""
LIST_EXAMPLES = """\b
Example:
  vss topics list
  vss topics list --json | jq -r '.[].name'
"""
DESCRIBE_EXAMPLES = """\b
Example:
  vss topics describe
  vss topics describe frames --json
"""

_WIDE = 200

json_option = click.option("--json", "as_json", is_flag=True, help="Print one JSON array for machines.")
names_argument = click.argument("names", nargs=-1, metavar="[TOPIC]...")


@click.group()
def topics() -> None:
    """Create, list and describe the fleet's topics.

    TOPIC is a name of the catalogue without the prefix, such as frames; all of them when none is given.
    """


@topics.command(epilog=CREATE_EXAMPLES)
@names_argument
@click.option(
    "--partitions",
    type=click.IntRange(1, 10_000),
    help="Partitions of the named topics, or of all input and result topics. Grows those that have fewer: a camera's "
    "frames may then move to another partition, and keep their order only from there on.",
)
@click.option("--repair", is_flag=True, help="Set what drifted in existing topics back to the catalogue's settings.")
@json_option
@fleet_options
def create(settings: Settings, names: tuple[str, ...], partitions: int | None, repair: bool, as_json: bool) -> None:
    """Create the topics that are missing; what exists stays as it is.

    Never makes a topic smaller. Says where an existing topic is less than the catalogue asks for, and what puts it
    right.
    """
    from vss.streams.topic_admin import TopicAdmin

    chosen = _chosen(names)
    with TopicAdmin(settings.kafka) as admin:
        if partitions is not None and not names:
            # Notes and dead letters are few: one partition keeps them in one order.
            keyed = [topic for topic in chosen if topic.role in ("input", "result")]
            states = admin.create(keyed, partitions=partitions, repair=repair)
            states += admin.create([topic for topic in chosen if topic not in keyed], repair=repair)
        else:
            states = admin.create(chosen, partitions=partitions, repair=repair)
    if as_json:
        click.echo(json.dumps([_document(state) for state in states]))
        return
    for state in states:
        click.echo(f"{state.name}: {state.change or 'exists'}, {_partitions(state)}")
        _print_drift(state)


@topics.command("list", epilog=LIST_EXAMPLES)
@json_option
@fleet_options
def list_(settings: Settings, as_json: bool) -> None:
    """List the fleet's topics and whether the cluster has them."""
    from rich.console import Console
    from rich.table import Table

    states = _described(settings, ())
    if as_json:
        click.echo(json.dumps([_document(state) for state in states]))
        return
    table = Table("topic", "state", "partitions", "key", "records", box=None, pad_edge=False)
    for state in states:
        partitions = str(state.existing.partitions) if state.existing is not None else "-"
        table.add_row(state.name, _state(state), partitions, state.topic.key, state.topic.summary)
    # A file or a pipe has no width to keep to.
    Console(width=None if sys.stdout.isatty() else _WIDE).print(table)


@topics.command(epilog=DESCRIBE_EXAMPLES, short_help="Describe topics, and where they drifted.")
@names_argument
@json_option
@fleet_options
@click.pass_context
def describe(ctx: click.Context, settings: Settings, names: tuple[str, ...], as_json: bool) -> None:
    """Describe topics: what they hold, their settings, and where they drifted from the catalogue.

    Exits with 1 when a topic is missing or has drifted.
    """
    states = _described(settings, names)
    if as_json:
        click.echo(json.dumps([_document(state) for state in states]))
    else:
        for state in states:
            _print_described(state)
    ctx.exit(0 if all(state.existing is not None and not state.drift for state in states) else 1)


def _described(settings: Settings, names: tuple[str, ...]) -> list[TopicState]:
    from vss.streams.topic_admin import TopicAdmin

    with TopicAdmin(settings.kafka) as admin:
        return admin.describe(_chosen(names))


def _chosen(names: Sequence[str]) -> list[Topic]:
    from vss.schemas.topics import CATALOGUE

    known = {topic.short: topic for topic in CATALOGUE}
    if unknown := [name for name in names if name not in known]:
        raise ConfigError(f"no topic {unknown[0]!r} in the catalogue", fix=f"choose of {', '.join(known)}")
    return [known[name] for name in names] or list(CATALOGUE)


def _state(state: TopicState) -> str:
    if state.existing is None:
        return "missing"
    return "drifted" if state.drift else "ok"


def _partitions(state: TopicState) -> str:
    count = state.existing.partitions if state.existing is not None else 0
    return f"{count} partition{'s' if count != 1 else ''}"


def _print_drift(state: TopicState) -> None:
    for drift in state.drift:
        click.secho(f"  {drift.setting} is {drift.found}, not {drift.wanted}: {drift.harm}", fg="yellow")
        click.echo(f"  fix: {drift.fix}")


def _print_described(state: TopicState) -> None:
    topic = state.topic
    click.secho(state.name, bold=True)
    click.echo(f"  {topic.summary}")
    click.echo(f"  key: {topic.key}; value: {', '.join(topic.content_types)}")
    if state.existing is None:
        click.secho("  missing", fg="red")
        click.echo(f"  fix: vss topics create {topic.short}")
        return
    shown = {name: state.existing.settings.get(name, "?") for name in _settings_of(topic)}
    click.echo(f"  {_partitions(state)}, {state.existing.replication_factor} replica(s)")
    click.echo("  " + ", ".join(f"{name}={value}" for name, value in shown.items()))
    _print_drift(state)


def _settings_of(topic: Topic) -> dict[str, str]:
    from vss.streams.topic_drift import wanted_settings

    return wanted_settings(topic)


def _document(state: TopicState) -> dict[str, Any]:
    topic, existing = state.topic, state.existing
    wanted = _settings_of(topic)
    return {
        "topic": topic.short,
        "name": state.name,
        "role": topic.role.value,
        "summary": topic.summary,
        "key": topic.key,
        "content_types": list(topic.content_types),
        "state": _state(state),
        "change": state.change or None,
        "partitions": existing.partitions if existing is not None else None,
        "replication_factor": existing.replication_factor if existing is not None else None,
        "settings": {name: existing.settings.get(name) for name in wanted} if existing is not None else None,
        "wanted": {"partitions": topic.partitions, "settings": wanted},
        "drift": [
            {"setting": d.setting, "wanted": d.wanted, "found": d.found, "harm": d.harm, "fix": d.fix}
            for d in state.drift
        ],
    }
