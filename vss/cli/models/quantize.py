"""`vss models quantize`."""

from __future__ import annotations

import json
import shutil
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from vss.cli.model_options import fleet_store_options
from vss.cli.models.report import as_json_option
from vss.cli.numbers import FiniteRange
from vss.config import Settings

if TYPE_CHECKING:
    from rich.progress import Progress

    from vss.model_store.quantisation.candidate import Candidate, Measured
    from vss.model_store.quantisation.quantise import Report
    from vss.model_store.resolve import ModelRef

EXAMPLES = """\b
Example:
  vss models quantize gate --calibration pictures/
  vss models quantize gate@3 --calibration topic:frames --pictures 256 --max-loss 0.5
  vss models quantize yolov8n.onnx --calibration coco128 --output yolov8n-int8.onnx --json
"""


@click.command(epilog=EXAMPLES, short_help="Make a faster version of a model in 8 bits.")
@click.argument("model", metavar="NAME[@VERSION]|FILE")
@click.option(
    "--calibration",
    "source",
    required=True,
    metavar="DIR|VIDEO|topic:NAME",
    help="Pictures of what the model will see: a folder (YOLO's labels/ beside images/ are used), a video or a topic.",
)
@click.option(
    "--max-loss",
    type=FiniteRange(min=0),
    default=1.0,
    show_default=True,
    metavar="POINTS",
    help="What may be lost of the original's 100 points: mAP50-95 with labels, else agreement with the original.",
)
@click.option("--pictures", type=click.IntRange(min=2), default=128, show_default=True, help="So many at most.")
@click.option("--seed", type=int, default=0, show_default=True, help="Draws the pictures to calibrate with.")
@click.option(
    "--output",
    type=click.Path(dir_okay=False, path_type=Path),
    metavar="FILE",
    help="Write the model there, not into the store.",
)
@as_json_option
@fleet_store_options
def quantize(
    settings: Settings,
    model: str,
    source: str,
    max_loss: float,
    pictures: int,
    seed: int,
    output: Path | None,
    as_json: bool,
) -> None:
    """Make a faster version of a model in 8 bits, for CPUs.

    Makes candidates, measures accuracy and speed of each against the original, and keeps the fastest that loses no
    more than --max-loss as the next version. A quarter of the pictures calibrates; the others only judge.
    """
    from vss.errors import ConfigError
    from vss.logs import configure
    from vss.model_store.layout import is_file_spec
    from vss.model_store.quantisation.quantise import check_quantisable, quantise_model
    from vss.model_store.resolve import resolve_model
    from vss.workers.offline.calibration import read_samples

    configure(level="WARNING")
    if output is None and is_file_spec(model):
        raise ConfigError("a file has no next version", fix="say where to write the new model with --output FILE")
    ref = resolve_model(model, settings.model)
    check_quantisable(ref)
    with tempfile.TemporaryDirectory(prefix="vss-quantise-") as folder, _watching() as watcher:
        samples = read_samples(source, settings, at_most=pictures)
        report = quantise_model(
            ref, settings.model, samples, Path(folder), max_loss=max_loss, seed=seed, watcher=watcher
        )
        watcher.close()
        if not as_json:
            _show(ref, report)
        made = _keep(settings, ref, report.best().candidate, output)
        if as_json:
            click.echo(json.dumps(_document(ref, report, made), indent=2))
        else:
            click.secho(f"kept {made['version']}", fg="green", bold=True)


def _keep(settings: Settings, ref: ModelRef, best: Candidate, output: Path | None) -> dict[str, str]:
    """Writes the best as the next version or to a file; says which and where."""
    from vss.errors import ConfigError
    from vss.model_store.facts import read_facts
    from vss.model_store.store import ModelStore

    if output is None:
        store = ModelStore.of(settings.model)
        kept = store.add(best.file, ref.name, ref.manifest, check=lambda copy: read_facts(copy, settings.model))
        return {"version": f"{kept.name}@{kept.version}", "file": str(kept.file)}
    whole = output.with_name(f".{output.name}.new")
    try:
        shutil.copyfile(best.file, whole)
        whole.replace(output)
    except OSError as error:
        raise ConfigError(f"cannot write {output}: {error.strerror}", fix="name a file you may write") from error
    return {"version": str(output), "file": str(output)}


class _Bar:
    """Shows stages as a bar, and candidates as they are measured; without a bar nothing."""

    def __init__(self, progress: Progress | None) -> None:
        self._progress = progress
        self._task = progress.add_task("", total=None) if progress is not None else None

    def stage(self, name: str, steps: int) -> None:
        if self._progress is not None and self._task is not None:
            self._progress.reset(self._task, total=steps, description=name)

    def step(self) -> None:
        if self._progress is not None and self._task is not None:
            self._progress.advance(self._task)

    def tried(self, candidate: Candidate) -> None:
        if self._progress is not None:
            recipe = candidate.recipe
            self._progress.console.print(
                f"[dim]# {recipe.scope}, {recipe.ranges} ranges, {len(recipe.kept)} layers in fp32:"
                f" {candidate.lost:.2f} points lost[/]"
            )

    def close(self) -> None:
        if self._progress is not None:
            self._progress.stop()


@contextmanager
def _watching() -> Iterator[_Bar]:
    if not sys.stderr.isatty():
        yield _Bar(None)
        return
    from rich.console import Console
    from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn

    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeElapsedColumn())
    with Progress(*columns, console=Console(stderr=True), transient=True) as progress:
        yield _Bar(progress)


def _document(ref: ModelRef, report: Report, made: dict[str, str]) -> dict[str, Any]:
    best = report.best()
    return {
        "model": f"{ref.name}@{ref.version}",
        "made": made,
        "measure": report.measure,
        "pictures": {"calibration": report.calibration, "all": report.pictures},
        "max_loss": report.max_loss,
        "original": {
            "points": round(report.original.all, 3),
            "unseen_points": _rounded(report.original.unseen),
            "cpu_ms": round(report.original_cpu_ms, 3),
            "size_bytes": ref.file.stat().st_size,
        },
        "layers": report.layers,
        "sensitive_layers": [{"layer": name, "error": error} for name, error in report.sensitive],
        "candidates": [_row(one, chosen=one is best) for one in report.candidates],
    }


def _row(measured: Measured, *, chosen: bool) -> dict[str, Any]:
    candidate, speed = measured.candidate, measured.speed
    return {
        **candidate.recipe.document(),
        "points": round(candidate.points.all, 3),
        "unseen_points": _rounded(candidate.points.unseen),
        "points_lost": round(candidate.lost, 3),
        "speed": round(speed.ratio, 3),
        "cpu_ms": round(speed.cpu_ms, 3),
        "size_bytes": candidate.file.stat().st_size,
        "chosen": chosen,
    }


def _rounded(points: float | None) -> float | None:
    return round(points, 3) if points is not None else None


def _show(ref: ModelRef, report: Report) -> None:
    from rich.console import Console
    from rich.table import Table

    table = Table(box=None, pad_edge=False)
    for title in ("8 bits in", "ranges", "weights", "fp32 layers", report.measure, "on unseen", "lost", "speed", ""):
        table.add_column(title, justify="left" if title in {"8 bits in", "ranges", "weights", ""} else "right")

    def points(value: float | None) -> str:
        return f"{value:.2f}" if value is not None else "-"

    table.add_row("nothing", "", "", "all", points(report.original.all), points(report.original.unseen), "", "1.00")
    for one in report.candidates:
        recipe, reached = one.candidate.recipe, one.candidate.points
        chosen = one is report.chosen
        table.add_row(
            recipe.scope,
            recipe.ranges,
            recipe.weights,
            str(len(recipe.kept)),
            points(reached.all),
            points(reached.unseen),
            f"{one.lost:.2f}",
            f"{one.speed.ratio:.2f}",
            "kept" if chosen else "",
            style="bold green" if chosen else None,
        )
    console = Console(width=None if sys.stdout.isatty() else 120)
    unseen = report.pictures - report.calibration
    console.print(
        f"{ref.name}@{ref.version}: {report.layers} layers; {report.calibration} pictures calibrate,"
        f" {unseen} are unseen, all {report.pictures} judge",
        highlight=False,
    )
    console.print(table)
