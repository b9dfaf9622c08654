"""`vss evaluate anomaly`."""

from __future__ import annotations

import dataclasses
import json
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from vss.cli.model_options import store_options
from vss.cli.models.report import as_json_option
from vss.cli.numbers import FiniteRange
from vss.cli.progress import progress
from vss.cli.train.options import device_option, seed_option, threads_option
from vss.config import Settings
from vss.errors import ConfigError

if TYPE_CHECKING:
    from vss.model_store.resolve import ModelRef
    from vss.model_store.tasks.series.spec import SeriesSpec
    from vss.training.anomaly.detector import DetectorSettings
    from vss.training.protocols.nab import Result
    from vss.training.protocols.skab_run import Judged

EXAMPLES = """\b
Example:
  vss evaluate anomaly --protocol skab --data SKAB/data/valve1
  vss evaluate anomaly --protocol skab --data SKAB/data/valve1 --arch isolation-forest --window 60 --json
  vss evaluate anomaly --protocol nab --data NAB
  vss evaluate anomaly --protocol nab --data NAB --model pump --profile reward_low_fp
"""


@click.command(epilog=EXAMPLES, short_help="Measure detectors by the protocols of SKAB and NAB.")
@click.option("--protocol", type=click.Choice(["skab", "nab"]), required=True, help="Whose rules count.")
@click.option(
    "--data",
    "folder",
    type=click.Path(exists=True, file_okay=False, path_type=Path),
    required=True,
    metavar="FOLDER",
    help="A copy of the benchmark's data.",
)
@click.option(
    "--model",
    metavar="NAME[@VERSION]|FILE",
    help="Measure this one.  [default: skab: one fitted to each file; nab: the streaming detector]",
)
@click.option(
    "--arch",
    type=click.Choice(["combined", "lstm-autoencoder", "isolation-forest"]),
    help="skab: what is fitted.  [default: combined]",
)
@click.option("--window", type=click.IntRange(4, 10_000), metavar="N", help="Readings.  [default: skab 100, nab 2000]")
@click.option("--tail", type=click.IntRange(1), metavar="N", help="skab: as of `vss train anomaly`.")
@click.option("--epochs", type=click.IntRange(1), metavar="N", help="skab: as of `vss train anomaly`.  [default: 60]")
@click.option(
    "--threshold",
    "method",
    type=click.Choice(["quantile", "evt"]),
    help="skab: as of `vss train anomaly`.  [default: quantile]",
)
@click.option(
    "--quantile", type=FiniteRange(0.5, 1, max_open=True), help="skab: as of `vss train anomaly`.  [default: 0.9999]"
)
@click.option("--drift", type=FiniteRange(0, 1000), help="skab: as of `vss train anomaly`.  [default: 0.8]")
@click.option(
    "--profile",
    type=click.Choice(["standard", "reward_low_fp", "reward_low_fn"]),
    default="standard",
    show_default=True,
    help="nab: what hits, misses and false alarms are worth.",
)
@seed_option
@device_option
@threads_option
@as_json_option
@store_options
def anomaly(
    settings: Settings,
    protocol: str,
    folder: Path,
    model: str | None,
    profile: str,
    window: int | None,
    training_device: str,
    training_threads: int | None,
    as_json: bool,
    **wanted: Any,
) -> None:
    """Measure a detector by the protocol of a public benchmark, so that its figure can be held against those published.

    docs/evaluation.md says what each protocol counts.
    """
    from vss.training.torch_setup import need

    need("onnx", doing="evaluation")
    ref = _resolved(model, settings) if model is not None else None
    if protocol == "nab":
        _nab(folder, ref, window, profile, as_json=as_json)
        return
    _skab(folder, ref, window, wanted, training_device, training_threads, as_json=as_json)


def _resolved(model: str, settings: Settings) -> tuple[ModelRef, SeriesSpec]:
    from vss.model_store.resolve import resolve_model
    from vss.model_store.tasks.series.spec import read_series_spec
    from vss.training.series_file import metadata_of

    ref = resolve_model(model, settings.model)
    spec = read_series_spec(metadata_of(ref.file), ref.manifest, where=f"{ref.name}@{ref.version}")
    if spec.horizon is not None:
        raise ConfigError(f"{ref.name} foretells, it finds no anomalies", fix="vss evaluate forecast --model")
    return ref, spec


def _detector_settings(window: int | None, wanted: dict[str, Any]) -> DetectorSettings:
    from vss.training.anomaly.detector import DetectorSettings

    names = {"arch": "architecture", "method": "threshold"}
    given = {names.get(name, name): value for name, value in wanted.items()} | {"window": window}
    return dataclasses.replace(DetectorSettings(), **{name: one for name, one in given.items() if one is not None})


def _skab(
    folder: Path,
    given: tuple[ModelRef, SeriesSpec] | None,
    window: int | None,
    wanted: dict[str, Any],
    device: str,
    threads: int | None,
    *,
    as_json: bool,
) -> None:
    from vss.training.protocols.skab import read_runs
    from vss.training.protocols.skab_run import already_there, fitted_to_each, judge_all

    runs = read_runs(folder)
    detector = _detector_settings(window, wanted)
    with tempfile.TemporaryDirectory(prefix="vss-evaluate-") as place, progress("files", len(runs)) as advance:
        if given is not None:
            judge = already_there(given[0].file, given[1])
        else:
            judge = fitted_to_each(detector, Path(place), device=device, threads=threads)
        judged = judge_all(runs, judge, lambda: advance(1))
    shown = f"{given[0].name}@{given[0].version}" if given is not None else f"{detector.architecture}, fitted to each"
    _print_skab(shown, judged, as_json=as_json)


def _print_skab(shown: str, judged: list[Judged], *, as_json: bool) -> None:
    from vss.training.protocols.skab import Counts, summed

    total = summed([one.counts for one in judged])

    def figures(counts: Counts) -> dict[str, float]:
        return {"f1": counts.f1, "far": counts.false_alarm_rate, "mar": counts.missing_alarm_rate}

    if as_json:
        files = {one.name: figures(one.counts) | dataclasses.asdict(one.counts) for one in judged}
        document = {"protocol": "skab", "detector": shown, **figures(total), **dataclasses.asdict(total)}
        click.echo(json.dumps(document | {"files": files}))
        return
    click.echo(f"{'file':<24} {'F1':>6} {'FAR %':>7} {'MAR %':>7}")
    for name, counts in [*((one.name, one.counts) for one in judged), ("all rows together", total)]:
        rates = f"{100 * counts.false_alarm_rate:>7.2f} {100 * counts.missing_alarm_rate:>7.2f}"
        click.secho(f"{name:<24} {counts.f1:>6.3f} {rates}", bold=counts is total)
    click.echo(f"SKAB, {len(judged)} files, {shown}: F1 {total.f1:.2f}, FAR {100 * total.false_alarm_rate:.2f} %")


def _nab(
    folder: Path, given: tuple[ModelRef, SeriesSpec] | None, window: int | None, profile: str, *, as_json: bool
) -> None:
    from vss.training.anomaly.streaming import DEFAULT_WINDOW, THRESHOLD
    from vss.training.protocols.nab import evaluate_nab, read_series, served_detector, streaming_detector
    from vss.training.protocols.nab_score import PROFILES

    series = read_series(folder)
    with tempfile.TemporaryDirectory(prefix="vss-evaluate-") as place, progress("series", len(series)) as advance:
        if given is None:
            detect, threshold = streaming_detector(window or DEFAULT_WINDOW, Path(place)), THRESHOLD
        else:
            ref, spec = given
            if len(spec.features) != 1:
                raise ConfigError(
                    f"{ref.name} takes {len(spec.features)} features, a series of NAB has one",
                    fix="train a model of one feature, or leave --model out",
                )
            detect, threshold = served_detector(ref.file, spec.window), spec.threshold
        result = evaluate_nab(series, detect, threshold, PROFILES[profile], lambda: advance(1))
    shown = f"{given[0].name}@{given[0].version}" if given is not None else "streaming"
    _print_nab(shown, profile, result, as_json=as_json)


def _print_nab(shown: str, profile: str, result: Result, *, as_json: bool) -> None:
    if as_json:
        document = {
            "protocol": "nab",
            "profile": profile,
            "detector": shown,
            "score": result.best.score,
            "threshold": result.best.threshold,
            "best_threshold": dataclasses.asdict(result.best),
            "own_threshold": dataclasses.asdict(result.fixed),
            "series": {name: dataclasses.asdict(one) for name, one in result.series.items()},
        }
        click.echo(json.dumps(document))
        return
    click.echo(f"{'series':<56} {'found':>7} {'false alarms':>13}")
    for name, one in result.series.items():
        click.echo(f"{name:<56} {one.found:>3} / {one.windows:<1} {one.false_alarms:>13}")
    for title, one in (("best for all series", result.best), ("the detector's own", result.fixed)):
        click.secho(
            f"threshold {one.threshold:.4g}, {title}: score {one.score:.1f}, {one.found} of {one.windows} windows,"
            f" {one.false_alarms} false alarms",
            bold=one is result.best,
        )
    click.echo(f"NAB, profile {profile}, {shown}: {result.best.score:.1f}")
