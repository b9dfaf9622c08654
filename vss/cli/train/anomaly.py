"""`vss train anomaly`."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING

import click

from vss.cli.model_options import fleet_store_options
from vss.cli.models.report import as_json_option, size_text
from vss.cli.numbers import FiniteRange
from vss.cli.progress import progress
from vss.cli.train.options import DataSource, data_options, device_option, seed_option, threads_option
from vss.config import Settings
from vss.errors import ConfigError

if TYPE_CHECKING:
    from vss.model_store.resolve import ModelRef
    from vss.training.anomaly.detector import Detector
    from vss.training.data.series import TrainingData

EXAMPLES = """\b
Example:
  vss train anomaly --data pump.csv --name pump
  vss train anomaly --data plant.csv --sensor-column machine --features pressure,flow --window 60 --name plant
  vss train anomaly --topic telemetry --from -7d --to -1d --arch isolation-forest --name pump
  vss train anomaly --data pump.csv --arch streaming --name pump-stream
  vss train anomaly --data pump.csv --threshold evt --quantile 0.99999 --seed 7 --name pump --json
"""


@click.command(epilog=EXAMPLES, short_help="Learn what is normal, and make a detector of what is not.")
@data_options
@click.option("--name", required=True, help="Of the model; what is trained becomes its next version.")
@click.option(
    "--arch",
    type=click.Choice(["combined", "lstm-autoencoder", "isolation-forest", "streaming"]),
    default="combined",
    show_default=True,
    help="What learns; combined takes the larger score of both, streaming learns nothing and compares with the past.",
)
@click.option(
    "--window",
    type=click.IntRange(4, 10_000),
    metavar="N",
    help="Readings in view.  [default: 100; streaming 2000]",
)
@click.option(
    "--tail", type=click.IntRange(1), metavar="N", help="Newest readings that the score is about.  [default: window/4]"
)
@click.option("--epochs", type=click.IntRange(1, 100_000), default=60, show_default=True, help="At most.")
@click.option(
    "--threshold",
    "method",
    type=click.Choice(["quantile", "evt"]),
    default="quantile",
    show_default=True,
    help="Set it by the scores as they are, or by their tail's distribution (extreme values).",
)
@click.option(
    "--quantile",
    type=FiniteRange(0.5, 1, max_open=True),
    default=0.9999,
    show_default=True,
    help="Share of normal windows that shall stay below the threshold.",
)
@click.option(
    "--drift",
    type=FiniteRange(0, 1000),
    default=0.8,
    show_default=True,
    help="How many times as far as in the data a feature's level may wander before that is an anomaly.",
)
@seed_option
@device_option
@threads_option
@as_json_option
@fleet_store_options
def anomaly(
    settings: Settings,
    source: DataSource,
    name: str,
    arch: str,
    window: int | None,
    tail: int | None,
    epochs: int,
    method: str,
    quantile: float,
    drift: float,
    seed: int,
    training_device: str,
    training_threads: int | None,
    as_json: bool,
) -> None:
    """Learn what is normal from readings of normal operation, and add a detector to the model store.

    The latest quarter of the readings is held out: training stops when it gets no better there, and the threshold and
    the levels of severity are set there. The version is never activated. Rows that a label column marks are left out.
    """
    from vss.training.torch_setup import need, need_training

    # First of all: some of the files below import what the extra brings.
    if arch == "streaming":
        need("matplotlib", "onnx", doing="training")
    else:
        need_training()

    import tempfile

    from vss.clock import SystemClock
    from vss.codecs.headers import format_time
    from vss.training.anomaly.detector import DetectorSettings
    from vss.training.anomaly.store import add_detector
    from vss.training.anomaly.streaming import DEFAULT_WINDOW, FEWEST_READINGS
    from vss.training.anomaly.train import TASK, train_detector
    from vss.training.registering import refuse_name

    if window is None:
        window = DEFAULT_WINDOW if arch == "streaming" else DetectorSettings().window
    if arch == "streaming" and window < FEWEST_READINGS:
        raise ConfigError(
            f"--window {window} holds too little past to compare with", fix=f"give --window {FEWEST_READINGS} or more"
        )
    refuse_name(name, TASK, settings.model)
    data = source.read(settings, keep_labelled=False)
    wanted = DetectorSettings(
        architecture=arch,  # type: ignore[arg-type]  # click has checked both
        window=window,
        tail=tail,
        epochs=epochs,
        seed=seed,
        threshold=method,  # type: ignore[arg-type]
        quantile=quantile,
        drift=drift,
    )
    with tempfile.TemporaryDirectory(prefix="vss-train-") as folder:
        with progress("epochs", epochs) as advance:
            made = train_detector(
                data,
                wanted,
                Path(folder),
                created=format_time(SystemClock().now_ns()),
                device=training_device,
                threads=training_threads,
                on_epoch=lambda _epoch, _loss, _held: advance(1),
            )
        ref = add_detector(made, data, wanted, name, settings.model)
    _print(ref, data, made, as_json=as_json)


def _median(made: Detector) -> str:
    median = made.metrics.get("held_out_median")
    return f"; held-out median {median:.4g}" if median is not None else ""


def _print(ref: ModelRef, data: TrainingData, made: Detector, *, as_json: bool) -> None:
    run = f"vss worker anomaly --model {ref.name}"
    activate = f"vss models activate {ref.name} {ref.version}"
    levels = made.calibrated.levels.model_dump()
    if as_json:
        document = {
            "model": ref.name,
            "version": ref.version,
            "file": str(ref.file),
            "size_bytes": ref.file.stat().st_size,
            "rows": data.rows,
            "features": list(data.features),
            "period_ms": data.period_ms,
            "threshold": made.calibrated.threshold,
            "levels": levels,
            "metrics": dict(made.metrics),
            "left_out": dict(data.left_out),
        }
        click.echo(json.dumps(document))
        return
    click.secho(f"trained {ref.name}@{ref.version}", fg="green", bold=True)
    rows = [
        (
            "data",
            f"{data.shown}: {data.rows:,} readings, {len(data.sensors)} sensor(s), every {data.period_ms} ms",
        ),
        *((("left out", f"{count:,} {reason}") for reason, count in data.left_out)),
        ("features", ", ".join(data.features)),
        *(
            (name, f"{len(part.curves.training)} epochs, kept number {part.curves.best_epoch + 1}")
            for name, part in made.parts.items()
            if part.curves is not None
        ),
        ("threshold", f"{made.calibrated.threshold:.4g}{_median(made)}"),
        ("severity", ", ".join(f"{level} from {score:.3g}" for level, score in levels.items())),
        ("file", f"{ref.file} ({size_text(ref.file.stat().st_size)}); training.json and training.png beside it"),
    ]
    width = max(len(title) for title, _ in rows)
    for title, value in rows:
        click.echo(f"  {title:<{width}} {value}")
    click.secho(f"run it with `{run}`, or make running workers take it with `{activate}`", dim=True)
