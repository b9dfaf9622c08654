"""`vss bench detect`."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from vss.cli.bench.options import json_option, model_option, names_no_cluster, size_option, video_option
from vss.cli.options import fleet_options, override
from vss.config import Settings

if TYPE_CHECKING:
    from vss.bench.detect import DetectBench, Round

EXAMPLES = """\b
Example:
  vss bench detect
  vss bench detect --model yolov8n.onnx
  vss bench detect --model yolov8n.onnx --image-size 1080p --video clip.mp4 --rounds 9
  vss bench detect --model gate@3 --json > gate.json
"""


@click.command(epilog=EXAMPLES)
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
    ref = resolve_model(spec, settings.model)
    size = SIZES[image_size]
    jpegs = make_jpegs(video, size)
    with bench_settings(settings, own_cluster=names_no_cluster()) as own:
        report = bench_detect(own, ref, jpegs, size, rounds=rounds, frames=frames, on_round=_show_round)
    if as_json:
        click.echo(json.dumps(_document(report), indent=2))
    else:
        _show(report)


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
