"""`vss train forecast`."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import click

from vss.cli.model_options import fleet_store_options
from vss.cli.models.report import as_json_option, size_text
from vss.cli.train.forecast_options import forecast_training_options, watched
from vss.cli.train.options import DataSource, data_options
from vss.config import Settings

if TYPE_CHECKING:
    from vss.model_store.resolve import ModelRef
    from vss.training.data.series import TrainingData
    from vss.training.forecast.settings import ForecastSettings
    from vss.training.forecast.train import Made

EXAMPLES = """\b
Example:
  vss train forecast --data pump.csv --name pump-forecast
  vss train forecast --data plant.csv --sensor-column machine --features pressure,flow --horizon 12 --name plant
  vss train forecast --topic telemetry --from -7d --lookback 60 --arch lstm --name pump-forecast
  vss train forecast --data ETTh1.csv --split ett --lookback 336 --horizon 96 --name etth1 --json
"""


@click.command(epilog=EXAMPLES, short_help="Learn to foretell readings, with intervals that hold.")
@data_options
@click.option("--name", required=True, help="Of the model; what is trained becomes its next version.")
@click.option("--lookback", type=click.IntRange(1, 10_000), default=24, show_default=True, help="Readings it looks at.")
@click.option("--horizon", type=click.IntRange(1, 10_000), default=6, show_default=True, help="Steps it foretells.")
@click.option(
    "--split",
    type=click.Choice(["shares", "ett"]),
    default="shares",
    show_default=True,
    help="Learn from the first 70 % and keep the rest back; or from 12 of 20 months as the protocol of ETT does.",
)
@forecast_training_options
@as_json_option
@fleet_store_options
def forecast(
    settings: Settings,
    source: DataSource,
    how: Callable[[int, int, str], ForecastSettings],
    name: str,
    lookback: int,
    horizon: int,
    split: str,
    as_json: bool,
) -> None:
    """Learn to foretell the next readings of a sensor, and add the forecast to the model store.

    Readings are split in time: the first 70 % teach, a tenth chooses, a tenth sets the width of the intervals, and the
    latest tenth measures. The version is never activated.
    """
    from vss.clock import SystemClock
    from vss.codecs.headers import format_time
    from vss.training.forecast.version import train_version
    from vss.training.registering import refuse_name
    from vss.training.torch_setup import need_training

    need_training()
    refuse_name(name, "forecast", settings.model)
    data = source.read(settings)
    wanted = how(lookback, horizon, split)
    clock = SystemClock()
    with watched(wanted) as told:
        made, ref = train_version(
            data,
            wanted,
            name,
            settings.model,
            created=format_time(clock.now_ns()),
            clock=clock.monotonic,
            **told,
        )
    if as_json:
        click.echo(json.dumps(_document(ref, data, made)))
    else:
        _print(ref, data, wanted, made)


def _document(ref: ModelRef, data: TrainingData, made: Made) -> dict[str, Any]:
    return {
        "model": ref.name,
        "version": ref.version,
        "file": str(ref.file),
        "size_bytes": ref.file.stat().st_size,
        "rows": data.rows,
        "features": list(data.features),
        "period_ms": data.period_ms,
        "kind": made.chosen.name,
        "candidates": {one.name: one.error for one in made.candidates},
        "metrics": made.metrics,
        "left_out": dict(data.left_out),
    }


def _print(ref: ModelRef, data: TrainingData, settings: ForecastSettings, made: Made) -> None:
    test = made.test
    tried = ", ".join(f"{one.name} {one.error:.4f}" for one in made.candidates)
    rows = [
        ("data", f"{data.shown}: {data.rows:,} readings, {len(data.sensors)} sensor(s), every {data.period_ms} ms"),
        *((("left out", f"{count:,} {reason}") for reason, count in data.left_out)),
        ("features", ", ".join(data.features)),
        (
            "windows",
            f"{settings.lookback} readings, then {settings.horizon} steps; {len(made.parts.training):,} teach",
        ),
        ("tried", f"{tried} (mean square error on validation, standardised)"),
        ("chosen", f"{made.chosen.name}, {made.chosen.error:.4f}"),
        ("test", f"MSE {test.mse:.4f}, MAE {test.mae:.4f}; repeating the last value: MSE {test.naive_mse:.4f}"),
        ("intervals", f"{100 * settings.level:g} % wanted, {100 * test.coverage:.1f} % held, {test.width:.3g} wide"),
        ("file", f"{ref.file} ({size_text(ref.file.stat().st_size)}); training.json and training.png beside it"),
    ]
    click.secho(f"trained {ref.name}@{ref.version}", fg="green", bold=True)
    width = max(len(title) for title, _ in rows)
    for title, value in rows:
        click.echo(f"  {title:<{width}} {value}")
    run, activate = f"vss worker forecast --model {ref.name}", f"vss models activate {ref.name} {ref.version}"
    click.secho(f"run it with `{run}`, or make running workers take it with `{activate}`", dim=True)
