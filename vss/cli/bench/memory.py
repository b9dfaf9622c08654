"""`vss bench memory`."""

from __future__ import annotations

import json
from pathlib import Path

import click

from vss.cli.bench.options import (
    json_option,
    model_option,
    names_no_cluster,
    size_option,
    video_option,
)
from vss.cli.options import fleet_options
from vss.cli.progress import progress
from vss.config import Settings

EXAMPLES = """\b
Example:
  vss bench memory --model yolov8n.onnx
  vss bench memory --model gate --frames 20000 --json
"""


@click.command(epilog=EXAMPLES, short_help="Measure how much memory a detection worker holds.")
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
    from vss.bench.served import require_task
    from vss.logs import configure
    from vss.model_store.resolve import resolve_model
    from vss.workers.pictures.kinds import DETECT

    configure(level="WARNING")
    ref = resolve_model(spec, settings.model)
    require_task(ref, DETECT.task)
    jpegs = make_jpegs(video, SIZES[image_size])
    with bench_settings(settings, own_cluster=names_no_cluster()) as own, progress("events", frames) as advance:
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
