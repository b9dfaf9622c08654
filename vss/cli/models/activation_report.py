"""What `vss models activate` and `rollback` print, and how they wait for the workers."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import click

from vss.cli.numbers import FiniteRange
from vss.config import Settings
from vss.errors import VssError

if TYPE_CHECKING:
    from vss.schemas.models import ModelEvent
    from vss.workers.activation.operator import Change

_LONGEST_REASON = 500


def _short(_context: click.Context, _option: click.Parameter, text: str) -> str:
    if len(text) > _LONGEST_REASON:
        raise click.BadParameter(f"has {len(text)} characters, and may have {_LONGEST_REASON}")
    return text


reason_option = click.option(
    "--reason",
    default="",
    callback=_short,
    metavar="TEXT",
    help="Why, for whoever reads the log later; at most 500 characters.",
)
wait_option = click.option(
    "--wait",
    "wait_s",
    type=FiniteRange(min=0, min_open=True),
    metavar="SECONDS",
    help="Wait at most this long for what the workers say; exit with 1 when one refuses or none answers.",
)


def carry_out(settings: Settings, change: Change, *, wait_s: float | None, as_json: bool) -> None:
    """Publishes a change, prints what happens, and waits for the workers where that is wanted.

    Raises:
        VssError: It could not be published, or with `wait_s`: a worker refused, or none said anything.
    """
    from vss.workers.activation.event_watch import EventWatch
    from vss.workers.activation.operator import publish

    if wait_s is None:
        publish(settings, change)
        _show(change, [], as_json=as_json)
        return
    with EventWatch(settings.kafka) as watch:
        publish(settings, change)
        if not as_json:
            _show(change, [], as_json=False)
        heard = []
        for event in watch.about(change.activation.id, wait_s=wait_s):
            heard.append(event)
            if not as_json:
                click.echo(_event_line(event))
    if as_json:
        _show(change, heard, as_json=True)
    _judge(heard, change.activation.name, wait_s)


def _show(change: Change, heard: list[ModelEvent], *, as_json: bool) -> None:
    from vss.workers.activation.operator import describe

    if as_json:
        click.echo(json.dumps(_document(change, heard)))
        return
    first, *rest = describe(change)
    click.secho(first, fg="green", bold=True)
    for line in rest:
        click.secho(f"  {line}", dim=True)
    if change.activation.history:
        click.secho(f"  undo it with `vss models rollback {change.activation.name}`", dim=True)


def _event_line(event: ModelEvent) -> str:
    worker = click.style(event.worker, dim=True)
    if event.kind == "swapped":
        return f"{click.style('swapped', fg='green')}  {worker}  {event.name}@{event.version} serves"
    kind = click.style(event.kind.replace("_", " "), fg="red")
    return f"{kind}  {worker}  {event.name}@{event.version}: {event.reason}; {event.serving or 'nothing'} serves"


def _document(change: Change, heard: list[ModelEvent]) -> dict[str, Any]:
    from dataclasses import asdict

    return {
        "activation": asdict(change.activation),
        "before": change.before.serving if change.before is not None else None,
        "events": [asdict(event) for event in heard],
    }


def _judge(heard: list[ModelEvent], name: str, wait_s: float) -> None:
    if not heard:
        raise VssError(
            f"no worker said anything about it within {wait_s:g} s; it holds all the same",
            fix=f"start one: vss worker detect --model {name}",
        )
    refused = [event for event in heard if event.kind != "swapped"]
    if refused:
        raise VssError(
            f"{len(refused)} of {len(heard)} workers did not swap: {refused[0].reason}",
            fix=f"vss models rollback {name}",
        )
