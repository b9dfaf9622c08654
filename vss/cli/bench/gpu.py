"""`vss bench gpu`."""

from __future__ import annotations

import dataclasses
import json
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING

import click

from vss.cli.bench.options import json_option, model_option, names_no_cluster, size_option, video_option
from vss.cli.numbers import FiniteRange
from vss.cli.options import fleet_options, override
from vss.config import Settings

if TYPE_CHECKING:
    from vss.bench.gpu import GpuBench, ModelSpeed

EXAMPLES = """\b
Example:
  vss bench gpu --model yolov8n.onnx
  vss bench gpu --model yolov8n.onnx --classifier makes@3 --rate 200
  vss bench gpu --model yolov8n.onnx --cuda-graphs --json > graphs.json
  vss bench gpu --model yolov8n.onnx --device tensorrt
"""


@click.command(epilog=EXAMPLES)
@model_option
@click.option(
    "--classifier", metavar="NAME[@VERSION]|FILE", help="Measured after --model.  [default: a made-up ResNet-18]"
)
@click.option(
    "--device", type=click.Choice(["cuda", "tensorrt"]), default="cuda", show_default=True, help="What runs them."
)
@click.option("--cuda-graphs", is_flag=True, help="Replay calls as CUDA graphs.")
@size_option
@video_option
@click.option("--calls", type=click.IntRange(20), default=200, show_default=True, help="Calls for each batch size.")
@click.option("--frames", type=click.IntRange(32), default=2000, show_default=True, help="Frames in the backlog.")
@click.option(
    "--rate",
    type=FiniteRange(1),
    default=100.0,
    show_default=True,
    help="Frames/s when the detector's age is taken.",
)
@click.option(
    "--classifier-rate", type=FiniteRange(1), default=500.0, show_default=True, help="The same for the classifier."
)
@click.option("--seconds", type=FiniteRange(1), default=20.0, show_default=True, help="How long, at that rate.")
@json_option
@fleet_options
def gpu(
    settings: Settings,
    spec: str,
    classifier: str | None,
    device: str,
    cuda_graphs: bool,
    image_size: str,
    video: Path | None,
    calls: int,
    frames: int,
    rate: float,
    classifier_rate: float,
    seconds: float,
    as_json: bool,
) -> None:
    """Measure a detector and a classifier on this machine's GPU.

    For each batch size the model alone, on inputs that are ready; then a whole worker, from the topic to the committed
    event: frames/s while frames wait, and how old frames are when they come at a steady rate. A detector that was
    exported for one picture is measured with an open batch axis where it says the same so.
    Starts a Kafka of its own unless --bootstrap-servers names one.
    """
    from vss.bench.any_batch import with_any_batch
    from vss.bench.cluster import bench_settings
    from vss.bench.device import require_gpu
    from vss.bench.frames import SIZES, make_jpegs
    from vss.bench.gpu import Load, bench_gpu
    from vss.bench.networks import make_network
    from vss.bench.served import require_task
    from vss.logs import configure
    from vss.model_store.resolve import resolve_model
    from vss.workers.pictures.kinds import CLASSIFY, DETECT

    configure(level="WARNING")
    settings = override(settings, {"model.device": device, "model.cuda_graphs": cuda_graphs or None})
    require_gpu(settings.model)
    with tempfile.TemporaryDirectory(prefix="vss-bench-") as folder:
        detector = with_any_batch(resolve_model(spec, settings.model), Path(folder))
        other = (
            resolve_model(classifier, settings.model)
            if classifier is not None
            else make_network("resnet18", Path(folder))
        )
        require_task(detector, DETECT.task)
        require_task(other, CLASSIFY.task)
        with bench_settings(settings, own_cluster=names_no_cluster()) as own:
            report = bench_gpu(
                own,
                [
                    (DETECT, detector, Load(calls, frames, rate, seconds)),
                    (CLASSIFY, other, Load(calls, frames, classifier_rate, seconds)),
                ],
                make_jpegs(video, SIZES[image_size]),
                on_step=lambda step: click.secho(f"# {step}", dim=True, err=True),
            )
    if as_json:
        click.echo(json.dumps(dataclasses.asdict(report), indent=2))
    else:
        _show(report)


def _show(report: GpuBench) -> None:
    device = report.device
    click.echo(
        f"{device.name}, {device.memory_bytes / 2**30:.0f} GiB, driver {device.driver};"
        f" onnxruntime {device.onnxruntime} for CUDA {device.cuda}"
    )
    for model in report.models:
        _show_model(model)


def _show_model(model: ModelSpeed) -> None:
    from rich.console import Console
    from rich.table import Table

    facts = [model.providers[0], "bytes to the device" if model.takes_pixels else "floats to the device"]
    if model.cuda_graphs:
        facts.append("CUDA graphs")
    table = Table(title=f"{model.model} ({model.task}): {', '.join(facts)}")
    for column in ("a call", "p50 ms", "p95 ms", "pictures/s"):
        table.add_column(column, justify="right")
    for speed in model.alone:
        table.add_row(str(speed.batch), f"{speed.p50_ms:.2f}", f"{speed.p95_ms:.2f}", f"{speed.pictures_a_second:.0f}")
    console = Console()
    console.print(table)
    ages = model.ages
    console.print(
        f"worker: {model.backlog_a_second:.0f} frames/s from a backlog; at {ages.offered_a_second:.0f} frames/s"
        f" p50 {ages.p50_ms:.1f} ms, p95 {ages.p95_ms:.1f} ms, p99 {ages.p99_ms:.1f} ms from capture to committed event"
    )
    console.print(f"loaded and warm in {model.load_s:.1f} s, holds {model.resident_bytes / 2**20:.0f} MiB")
