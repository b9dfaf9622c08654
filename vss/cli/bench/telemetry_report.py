"""What `vss bench telemetry` prints: each turn as it ends, then a table, or all of it as JSON."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import click

if TYPE_CHECKING:
    from vss.bench.telemetry.contest import TelemetryBench
    from vss.model_store.evaluation.usage import Usage


def show_turn(name: str, usage: Usage) -> None:
    """A line on stderr."""
    text = f"# {name}: {1 / usage.wall_s:,.0f} readings/s, {usage.cpu_s * 1e6:.2f} µs CPU a reading"
    click.secho(text, dim=True, err=True)


def document(report: TelemetryBench) -> dict[str, Any]:
    """For machines."""
    return {
        "readings": report.feed.readings,
        "sensors": report.feed.sensors,
        "bar": report.bar,
        "readings_a_transaction": round(report.readings_a_transaction),
        "contenders": [
            {
                "name": row.name,
                "readings_a_second": round(row.readings_a_second),
                "ratio_to_bar": round(row.ratio, 3),
                "cpu_us_a_reading": round(row.cpu_us, 2),
                "cpu_ratio_to_bar": round(row.cpu_ratio, 3),
                "checked_events": row.checked,
                "rounds": [round(ratio, 3) for ratio in row.ratios],
            }
            for row in report.rows
        ],
    }


def show(report: TelemetryBench, *, as_json: bool) -> None:
    """Prints it."""
    if as_json:
        click.echo(json.dumps(document(report), indent=2))
        return
    from rich.console import Console
    from rich.table import Table

    feed, console = report.feed, Console()
    table = Table(title=f"{feed.readings:,} readings of {feed.sensors} sensors, {len(report.rows[0].rounds)} rounds")
    for column in ("", "readings/s", "to the bar", "µs CPU a reading", "events checked"):
        table.add_column(column, justify="right" if column else "left")
    for row in report.rows:
        ratio = "[bold]1[/bold]" if row.name == report.bar else f"[bold]{row.ratio:.3f}[/bold]"
        table.add_row(row.name, f"{row.readings_a_second:,.0f}", ratio, f"{row.cpu_us:.2f}", f"{row.checked:,}")
    console.print(table)
    console.print(
        f"each event once and with the score of the reference; {report.readings_a_transaction:,.0f} readings of the"
        " worker a transaction"
    )
