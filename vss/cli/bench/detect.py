"""`vss bench detect`."""

from __future__ import annotations

from pathlib import Path

import click

from vss.cli.bench.options import (
    frames_option,
    json_option,
    model_option,
    names_no_cluster,
    rounds_option,
    size_option,
    threads_option,
    video_option,
)
from vss.cli.bench.picture_report import show, show_round
from vss.cli.options import fleet_options, override
from vss.config import Settings

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
@rounds_option
@frames_option
@threads_option
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
    from vss.bench.frames import SIZES, make_jpegs
    from vss.bench.pictures import bench_pictures
    from vss.bench.served import require_task
    from vss.logs import configure
    from vss.model_store.resolve import resolve_model
    from vss.workers.pictures.kinds import DETECT

    configure(level="WARNING")
    settings = override(settings, {"model.threads": threads})
    ref = resolve_model(spec, settings.model)
    require_task(ref, DETECT.task)
    size = SIZES[image_size]
    jpegs = make_jpegs(video, size)
    with bench_settings(settings, own_cluster=names_no_cluster()) as own:
        report = bench_pictures(own, DETECT, ref, jpegs, size, rounds=rounds, frames=frames, on_round=show_round)
    show(report, as_json=as_json)
