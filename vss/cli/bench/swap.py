"""`vss bench swap`."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from vss.cli.bench.options import json_option, model_option, names_no_cluster, size_option, video_option
from vss.cli.options import fleet_options, override
from vss.cli.progress import progress
from vss.config import Settings

if TYPE_CHECKING:
    from vss.bench.swap_report import SwapBench

EXAMPLES = """\b
Example:
  vss bench swap
  vss bench swap --model yolov8n.onnx --frames 1500 --swaps 4
  vss bench swap --json > swap.json
"""


@click.command(epilog=EXAMPLES)
@model_option
@size_option
@video_option
@click.option("--frames", type=click.IntRange(64), default=4000, show_default=True, help="Frames in the backlog.")
@click.option("--swaps", type=click.IntRange(1), default=5, show_default=True, help="Times another version takes over.")
@click.option("--threads", type=int, metavar="N", help="Frames in inference at once on the CPU; 0 is one a core.")
@json_option
@fleet_options
def swap(
    settings: Settings,
    spec: str,
    image_size: str,
    video: Path | None,
    frames: int,
    swaps: int,
    threads: int | None,
    as_json: bool,
) -> None:
    """Measure what it costs to swap a model under full load.

    A worker works through a backlog while an activation after the other goes through the topic. Counts the frames that
    were lost or doubled, and how long commits pause at each swap beside the time of a batch. Exits with 1 when a frame
    is lost or doubled. Starts a Kafka of its own unless --bootstrap-servers names one.
    """
    from vss.bench.cluster import bench_settings
    from vss.bench.frames import SIZES, make_jpegs
    from vss.bench.served import require_task
    from vss.bench.swap import bench_swap
    from vss.errors import VssError
    from vss.logs import configure
    from vss.model_store.resolve import resolve_model
    from vss.workers.pictures.kinds import DETECT

    configure(level="WARNING")
    settings = override(settings, {"model.threads": threads})
    ref = resolve_model(spec, settings.model)
    require_task(ref, DETECT.task)
    jpegs = make_jpegs(video, SIZES[image_size])
    with bench_settings(settings, own_cluster=names_no_cluster()) as own, progress("frames", frames) as advance:
        report = bench_swap(own, ref, jpegs, frames=frames, swaps=swaps, on_events=advance)
    if as_json:
        click.echo(json.dumps(_document(report), indent=2))
    else:
        _show(report)
    if report.lost or report.doubled or report.went_back:
        raise VssError(
            f"{report.lost} frames were lost, {report.doubled} doubled; in {report.went_back} partitions an older"
            " activation's event follows a newer one's",
            fix="report this: a promise is broken",
        )


def _document(report: SwapBench) -> dict[str, Any]:
    return {
        "model": report.model,
        "frames": report.frames,
        "events": report.events,
        "lost": report.lost,
        "doubled": report.doubled,
        "partitions_that_went_back": report.went_back,
        "events_by_version": dict(report.versions),
        "frames_a_second": round(report.frames_a_second, 2),
        "batch": {
            "frames": report.batch,
            "ms": round(report.batch_s * 1000, 2),
            "longest_ms": round(report.usual_longest_gap_s * 1000, 2),
        },
        "pause_ms": round(report.pause_s * 1000, 2),
        "worst_pause_ms": round(report.worst_pause_s * 1000, 2),
        "pause_in_batches": round(report.pause_s / report.batch_s, 3),
        "holds": report.holds,
        "swaps": [
            {
                "version": swap.version,
                "beside_ms": round(swap.beside_s * 1000, 1),
                "longest_gap_ms": round(swap.longest_gap_s * 1000, 2),
            }
            for swap in report.swaps
        ],
    }


def _show(report: SwapBench) -> None:
    from rich.console import Console
    from rich.table import Table

    console = Console()
    table = Table(title=f"{report.model}, {report.frames} frames, {len(report.swaps)} swaps under full load")
    for column in ("swap to", "activated to serving", "longest time without a commit"):
        table.add_column(column, justify="right")
    for swap in report.swaps:
        table.add_row(swap.version, f"{swap.beside_s * 1000:.0f} ms", f"{swap.longest_gap_s * 1000:.0f} ms")
    console.print(table)
    console.print(
        f"{report.events} events of {report.frames} frames: {report.lost} lost, {report.doubled} doubled;"
        f" {report.frames_a_second:.0f} frames/s"
    )
    console.print(
        f"a batch of {report.batch:.0f} takes {report.batch_s * 1000:.0f} ms (longest without a swap"
        f" {report.usual_longest_gap_s * 1000:.0f} ms); a swap adds {report.pause_s * 1000:.0f} ms,"
        f" [bold]{report.pause_s / report.batch_s:.2f} batches[/bold] (worst {report.worst_pause_s * 1000:.0f} ms)"
    )
