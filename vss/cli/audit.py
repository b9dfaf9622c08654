"""`vss audit`."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import click

from vss.cli.numbers import FiniteRange
from vss.cli.options import fleet_options
from vss.config import Settings

if TYPE_CHECKING:
    from vss.workers.checks.audit import AuditReport

EXAMPLES = """\b
Example:
  vss audit
  vss audit --wait 30 --json
  vss audit --group night-shift
  vss audit --topic telemetry --group vss.forecast
"""

# Whose outcomes count where nothing else is said.
_STEPS = {"telemetry": "anomaly"}


@click.command(epilog=EXAMPLES)
@click.option("--topic", default="frames", show_default=True, help="The input, as the catalogue names it.")
@click.option("--group", help="Whose outcomes count.  [default: that of `detect`, of telemetry `anomaly`]")
@click.option(
    "--wait",
    "wait_s",
    type=FiniteRange(min=0),
    default=0.0,
    metavar="SECONDS",
    help="Wait until the group has committed what is there now.",
)
@click.option("--list", "list_first", type=int, default=5, show_default=True, help="How many coordinates to list.")
@click.option("--json", "as_json", is_flag=True, help="Print one JSON object for machines.")
@fleet_options
@click.pass_context
def audit(
    ctx: click.Context,
    settings: Settings,
    topic: str,
    group: str | None,
    wait_s: float,
    list_first: int,
    as_json: bool,
) -> None:
    """Check that every frame or reading has exactly one outcome: an event, a shed note or a dead letter.

    A reading may also have been taken into its sensor's window, which events name: each event's window is held against
    the readings.

    Reads the whole topic up to its present end, and everything that came of it, as a consumer sees it that reads only
    what is committed. While cameras and workers run, some records are always under way: --wait waits for those that are
    there at the start. Exits with 1 unless every record has exactly one outcome.
    """
    from vss.errors import ConfigError
    from vss.schemas.topics import CATALOGUE
    from vss.workers.checks.audit import audit as run_audit
    from vss.workers.service import consumer_group

    inputs = {known.short: known for known in CATALOGUE if known.role == "input"}
    if topic not in inputs:
        raise ConfigError(f"no input topic {topic!r} in the catalogue", fix=f"choose of {', '.join(inputs)}")
    report = run_audit(
        settings.kafka,
        group=group if group is not None else consumer_group(settings, _STEPS.get(topic, "detect")),
        topic=inputs[topic],
        limits=settings.limits,
        windows=settings.windows,
        wait_s=wait_s,
        list_first=list_first,
    )
    if as_json:
        import dataclasses

        click.echo(json.dumps({"holds": report.holds, **dataclasses.asdict(report)}))
    else:
        _print(report)
    ctx.exit(0 if report.holds else 1)


def _print(report: AuditReport) -> None:
    click.secho(f"{report.topic} for group {report.group}", bold=True)
    rows = [
        ("records", report.records, ()),
        ("events", report.events, ()),
        ("shed", report.shed, ()),
        ("dead letters", report.dead_letters, ()),
        ("not reached", report.not_reached, report.first_missing if report.waits else ()),
        ("missing", report.missing - report.not_reached, () if report.waits else report.first_missing),
        ("doubled", report.doubled, report.first_doubled),
        ("stray", report.stray, report.first_stray),
    ]
    if report.taken or report.wrong_windows:
        rows.insert(2, ("taken", report.taken, ()))
        rows.append(("wrong windows", report.wrong_windows, report.first_wrong_windows))
    bad = "yellow" if report.waits else "red"
    for name, count, first in rows:
        places = " ".join(f"{at.topic}[{at.partition}]@{at.offset}" for at in first)
        click.secho(f"  {name:<14}{count:>11,}  {places}", fg=bad if first else None)
    if report.unreadable:
        click.secho(f"  {report.unreadable} records of the outcome topics are no outcomes", fg="yellow")
    if report.waiting:
        click.echo(f"  {report.waiting:,} of the taken readings are in no event's window yet")
    for other, count in sorted(report.other_groups.items()):
        click.echo(f"  left out: {count:,} outcomes of group {other}")
    verdict, colour = _verdict(report)
    click.secho(f"  {verdict} ({report.seconds:.1f} s)", fg=colour)


def _verdict(report: AuditReport) -> tuple[str, str]:
    if report.holds:
        return "every record has exactly one outcome", "green"
    if report.waits:
        advice = "see whether workers run and keep up" if report.caught_up is False else "`vss audit --wait 60` waits"
        return f"nothing lost or doubled; {report.not_reached:,} records still wait for a worker: {advice}", "yellow"
    return "the promise of one outcome is broken", "red"
