"""`vss evaluate forecast`."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from vss.cli.model_options import store_options
from vss.cli.models.report import as_json_option
from vss.cli.train.forecast_options import forecast_training_options, watched
from vss.config import Settings

if TYPE_CHECKING:
    from vss.training.forecast.settings import ForecastSettings

EXAMPLES = """\b
Example:
  vss evaluate forecast --data ETTh1.csv --lookback 336 --horizon 96
  vss evaluate forecast --data ETTh1.csv --model etth1@2 --json
  vss evaluate forecast --data ETTm1.csv --lookback 336 --horizon 96 --arch dlinear
"""


@click.command(epilog=EXAMPLES, short_help="Measure forecasts by the protocol of ETT.")
@click.option(
    "--protocol",
    type=click.Choice(["ett"]),
    default="ett",
    show_default=True,
    help="How the public benchmark measures: 12 months teach, 4 validate, 4 test.",
)
@click.option("--data", type=click.Path(path_type=Path), required=True, metavar="FILE", help="ETTh1.csv or its like.")
@click.option(
    "--features",
    "columns",
    metavar="A,B",
    help="Of its columns.  [default: the model's, else every column of numbers]",
)
@click.option("--model", "spec", metavar="NAME[@VERSION]|FILE", help="Measure this one; without, one is trained first.")
@click.option(
    "--lookback", type=click.IntRange(1, 10_000), help="Readings it looks at.  [default: the model's, else 336]"
)
@click.option("--horizon", type=click.IntRange(1, 10_000), help="Steps it foretells.  [default: the model's, else 96]")
@forecast_training_options
@as_json_option
@store_options
def forecast(
    settings: Settings,
    protocol: str,
    data: Path,
    columns: str | None,
    spec: str | None,
    lookback: int | None,
    horizon: int | None,
    how: Callable[[int, int, str], ForecastSettings],
    as_json: bool,
) -> None:
    """Measure a forecast on the test months of ETT: errors on standardised values, over every window, none dropped.

    Without --model one is trained on the months before, as `vss train forecast --split ett` does, and thrown away.
    """
    from vss.clock import SystemClock
    from vss.codecs.headers import format_time
    from vss.training.forecast.evaluate import evaluate_model, evaluate_trained

    names = tuple(name.strip() for name in columns.split(",") if name.strip()) if columns else None
    if spec is not None:
        found = evaluate_model(spec, settings.model, data, names, lookback=lookback, horizon=horizon)
    else:
        wanted = how(lookback or 336, horizon or 96, protocol)
        clock = SystemClock()
        with watched(wanted) as told:
            found = evaluate_trained(
                wanted, data, names, created=format_time(clock.now_ns()), clock=clock.monotonic, **told
            )
    if as_json:
        click.echo(json.dumps(found))
    else:
        _print(found)


def _print(found: dict[str, Any]) -> None:
    from rich.console import Console
    from rich.table import Table

    console = Console(width=110)
    console.print(
        f"{found['data']}, protocol {found['protocol']}: {found['kind']}, lookback {found['lookback']},"
        f" horizon {found['horizon']}, {found['windows']:,} test windows",
        highlight=False,
    )
    table = Table(box=None, pad_edge=False)
    table.add_column("")
    for title in ("MSE", "MAE", "last value's MSE", f"within {100 * found['level']:g} %", "width"):
        table.add_column(title, justify="right")
    table.add_row(
        "all features",
        f"{found['mse']:.4f}",
        f"{found['mae']:.4f}",
        f"{found['naive_mse']:.4f}",
        f"{100 * found['coverage']:.1f} %",
        f"{found['width']:.3f}",
        style="bold",
    )
    for name, mse, held in zip(found["features"], found["mse_by_feature"], found["coverage_by_feature"], strict=True):
        table.add_row(name, f"{mse:.4f}", "", "", f"{100 * held:.1f} %", "")
    console.print(table)
