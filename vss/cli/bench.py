"""`vss bench detect|accuracy|memory`."""

from __future__ import annotations

import dataclasses
import json
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from vss.cli.options import fleet_options, override
from vss.config import Settings

if TYPE_CHECKING:
    from vss.bench.detect import DetectBench, Round

DETECT_EXAMPLES = """\b
Example:
  vss bench detect
  vss bench detect --model yolov8n.onnx
  vss bench detect --model yolov8n.onnx --image-size 1080p --video clip.mp4 --rounds 9
  vss bench detect --model gate@3 --json > gate.json
"""

ACCURACY_EXAMPLES = """\b
Example:
  vss bench accuracy --model yolov8n.onnx coco128
  vss bench accuracy --model yolov8n.onnx coco128 --reference found_by_another.json --json
"""
MEMORY_EXAMPLES = """\b
Example:
  vss bench memory --model yolov8n.onnx
  vss bench memory --model gate --frames 20000 --json
"""


def _or_demo_model(_context: click.Context, _option: click.Parameter, spec: str | None) -> str:
    from vss.demo import CONVEYOR_MODEL

    return spec or str(CONVEYOR_MODEL)


model_option = click.option(
    "--model",
    "spec",
    callback=_or_demo_model,
    metavar="NAME[@VERSION]|FILE",
    help="A model of the store or a file.  [default: the demo's]",
)
video_option = click.option(
    "--video", type=click.Path(path_type=Path), help="Take frames from this video.  [default: a made-up scene]"
)
size_option = click.option(
    "--image-size",
    type=click.Choice(["768x432", "1080p"]),
    default="768x432",
    show_default=True,
    help="Size of the frames; a video's are scaled to it.",
)
json_option = click.option("--json", "as_json", is_flag=True, help="Print one JSON object for machines.")


@click.group()
def bench() -> None:
    """Measure the fleet on this machine."""


@bench.command(epilog=DETECT_EXAMPLES)
@model_option
@size_option
@video_option
@click.option("--rounds", type=click.IntRange(5), default=5, show_default=True, help="Times both sides are measured.")
@click.option("--frames", type=click.IntRange(32), default=256, show_default=True, help="Frames in each round.")
@click.option("--threads", type=int, metavar="N", help="Frames in inference at once on the CPU; 0 is one a core.")
@json_option
@fleet_options
def detect(
    settings: Settings,
    spec: str,
    image_size: str,
    video: Path | None,
    rounds: int,
    frames: int,
    threads: int | None,
    as_json: bool,
) -> None:
    """Measure what a detection worker costs beside its model.

    Runs the whole worker, from the topic to the committed event, in turn with the model alone on inputs that are
    ready, and compares their CPU time a frame. Starts a Kafka of its own unless --bootstrap-servers names one.
    """
    from vss.bench.cluster import bench_settings
    from vss.bench.detect import bench_detect
    from vss.bench.frames import SIZES, make_jpegs
    from vss.logs import configure
    from vss.model_store.resolve import resolve_model

    configure(level="WARNING")
    settings = override(settings, {"model.threads": threads})
    ref = resolve_model(spec, settings.model.store)
    size = SIZES[image_size]
    jpegs = make_jpegs(video, size)
    with bench_settings(settings, own_cluster=_names_no_cluster()) as own:
        report = bench_detect(own, ref, jpegs, size, rounds=rounds, frames=frames, on_round=_show_round)
    if as_json:
        click.echo(json.dumps(_document(report), indent=2))
    else:
        _show(report)


@bench.command(epilog=ACCURACY_EXAMPLES)
@model_option
@click.argument("folder", type=click.Path(path_type=Path))
@click.option(
    "--reference",
    type=click.Path(path_type=Path),
    help="JSON of what another program found with this model, to compare box by box.",
)
@json_option
@fleet_options
def accuracy(settings: Settings, spec: str, folder: Path, reference: Path | None, as_json: bool) -> None:
    """Measure whether a model's boxes are right.

    FOLDER holds images/*.jpg and, in YOLO's format, labels/*.txt. Prints mean average precision as COCO defines it.
    """
    from vss.bench.accuracy import bench_accuracy
    from vss.logs import configure
    from vss.model_store.resolve import resolve_model

    configure(level="WARNING")
    ref = resolve_model(spec, settings.model.store)
    with _progress("pictures") as advance:
        report = bench_accuracy(ref, settings.model, folder, reference=reference, on_pictures=advance)
    if as_json:
        click.echo(json.dumps(dataclasses.asdict(report), indent=2))
        return
    click.echo(f"{report.model}: {report.pictures} pictures")
    if (precision := report.precision) is not None:
        click.echo(
            f"mAP50-95 {precision.map50_95:.3f}, mAP50 {precision.map50:.3f}"
            f" ({precision.objects} objects of {precision.classes} classes)"
        )
    if (agreement := report.agreement) is not None:
        click.echo(
            f"{agreement.matched} of {agreement.reference} boxes of the reference matched"
            f" ({agreement.matched_share:.2%}), {agreement.extra} extra ({agreement.extra_share:.2%})"
        )


@bench.command(epilog=MEMORY_EXAMPLES, short_help="Measure how much memory a detection worker holds.")
@model_option
@size_option
@video_option
@click.option("--frames", type=click.IntRange(600), default=2000, show_default=True, help="Frames to process.")
@json_option
@fleet_options
def memory(settings: Settings, spec: str, image_size: str, video: Path | None, frames: int, as_json: bool) -> None:
    """Measure how much memory a detection worker holds, and whether that grows.

    Starts a Kafka of its own unless --bootstrap-servers names one.
    """
    from vss.bench.cluster import bench_settings
    from vss.bench.frames import SIZES, make_jpegs
    from vss.bench.memory import bench_memory
    from vss.logs import configure
    from vss.model_store.resolve import resolve_model

    configure(level="WARNING")
    ref = resolve_model(spec, settings.model.store)
    jpegs = make_jpegs(video, SIZES[image_size])
    with bench_settings(settings, own_cluster=_names_no_cluster()) as own, _progress("events", frames) as advance:
        counted = 0

        def show(events: int) -> None:
            nonlocal counted
            advance(events - counted)
            counted = events

        report = bench_memory(own, ref, jpegs, frames=frames, on_events=show)
    if as_json:
        document = {
            "model": report.model,
            "version": report.version,
            "frames": report.samples[-1][0],
            "resident_bytes": report.last_bytes,
            "drift_since_500": round(report.drift, 4),
            "samples": report.samples,
        }
        click.echo(json.dumps(document, indent=2))
    else:
        click.echo(
            f"{report.model}: {report.last_bytes / 1e6:.0f} MB resident after {report.samples[-1][0]} frames,"
            f" at most {report.drift:.1%} from what it was after 500"
        )


@contextmanager
def _progress(label: str, total: int | None = None) -> Iterator[Callable[[int], None]]:
    """A progress bar on stderr where that is a terminal."""
    if not sys.stderr.isatty():
        yield lambda _: None
        return
    from rich.console import Console
    from rich.progress import Progress

    with Progress(console=Console(stderr=True), transient=True) as bar:
        task = bar.add_task(label, total=total)
        yield lambda count: bar.advance(task, count)


def _names_no_cluster() -> bool:
    return not click.get_current_context().params.get("bootstrap_servers")


def _show_round(done: Round) -> None:
    click.secho(
        f"# worker {done.worker.cpu_s * 1000:.1f} ms CPU a frame, model alone {done.raw.cpu_s * 1000:.1f}:"
        f" {done.cpu_ratio:.3f}",
        dim=True,
        err=True,
    )


def _document(report: DetectBench) -> dict[str, Any]:
    return {
        "model": report.model,
        "version": report.version,
        "head": report.head,
        "providers": report.providers,
        "threads": report.threads,
        "image": {"width": report.width, "height": report.height, "jpeg_bytes": report.jpeg_bytes},
        "frames": report.frames,
        "distinct_frames": report.distinct_frames,
        "cpu_ratio": round(report.cpu_ratio, 4),
        "speed_ratio": round(report.speed_ratio, 4),
        "raw": {
            "cpu_ms_a_frame": round(report.raw_cpu_ms, 3),
            "frames_a_second": round(report.raw_frames_a_second, 2),
        },
        "worker": {
            "cpu_ms_a_frame": round(report.worker_cpu_ms, 3),
            "frames_a_second": round(report.worker_frames_a_second, 2),
            "frames_a_transaction": round(report.frames_a_transaction, 1),
            "committed_events": report.events,
        },
        "stage_ms_a_frame": {name: round(ms, 3) for name, ms in report.stages.items()},
        "rounds": [{"cpu_ratio": round(r.cpu_ratio, 4), "speed_ratio": round(r.speed_ratio, 4)} for r in report.rounds],
    }


def _show(report: DetectBench) -> None:
    from rich.console import Console
    from rich.table import Table

    console = Console()
    table = Table(
        title=f"{report.model} ({report.head}), {report.width}×{report.height} JPEG of"
        f" {report.jpeg_bytes / 1000:.0f} kB, {len(report.rounds)} rounds of {report.frames} frames",
    )
    for column in ("", "model alone", "worker", "ratio"):
        table.add_column(column, justify="left" if not column else "right")
    table.add_row(
        "CPU ms a frame", f"{report.raw_cpu_ms:.2f}", f"{report.worker_cpu_ms:.2f}", f"[bold]{report.cpu_ratio:.3f}"
    )
    table.add_row(
        "frames/s",
        f"{report.raw_frames_a_second:.1f}",
        f"{report.worker_frames_a_second:.1f}",
        f"{report.speed_ratio:.3f}",
    )
    console.print(table)
    console.print("ms a frame by stage: " + ", ".join(f"{name} {ms:.2f}" for name, ms in report.stages.items()))
    console.print(
        f"{report.events} events committed and read back, {report.frames_a_transaction:.0f} a transaction;"
        f" {report.threads} threads on {report.providers[0]}"
    )
