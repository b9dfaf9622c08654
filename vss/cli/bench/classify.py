"""`vss bench classify`."""

from __future__ import annotations

import tempfile
from pathlib import Path

import click

from vss.cli.bench.options import (
    frames_option,
    json_option,
    names_no_cluster,
    rounds_option,
    threads_option,
    video_option,
)
from vss.cli.bench.picture_report import show, show_round
from vss.cli.options import fleet_options, override
from vss.config import Settings

EXAMPLES = """\b
Example:
  vss bench classify
  vss bench classify --network resnet20
  vss bench classify --model makes@3 --video clip.mp4 --rounds 9
  vss bench classify --model resnet20.onnx --pictures cifar10/ --json
"""


@click.command(epilog=EXAMPLES)
@click.option("--model", "spec", metavar="NAME[@VERSION]|FILE", help="A model of the store or a file.")
@click.option(
    "--network",
    type=click.Choice(["resnet18", "resnet20"]),
    default="resnet18",
    show_default=True,
    help="Without --model: the network that is made up, with random weights; resnet20 is CIFAR's, of 32 pixels.",
)
@click.option(
    "--image-size",
    type=click.Choice(["768x432", "1080p", "32x32"]),
    help="Size of the frames; a video's are scaled to it.  [default: 768x432, for resnet20 32x32]",
)
@video_option
@click.option(
    "--pictures", type=click.Path(exists=True, file_okay=False, path_type=Path), help="Take a folder's JPEGs, as is."
)
@rounds_option
@frames_option
@threads_option
@json_option
@fleet_options
def classify(
    settings: Settings,
    spec: str | None,
    network: str,
    image_size: str | None,
    video: Path | None,
    pictures: Path | None,
    rounds: int,
    frames: int,
    threads: int | None,
    as_json: bool,
) -> None:
    """Measure what a classification worker costs beside its model.

    Runs the whole worker, from the topic to the committed event, in turn with the model alone on inputs that are
    ready, and compares their CPU time a frame. Starts a Kafka of its own unless --bootstrap-servers names one.
    """
    from vss.bench.cluster import bench_settings
    from vss.bench.frames import SIZES, make_jpegs, read_jpegs
    from vss.bench.networks import make_network
    from vss.bench.pictures import bench_pictures
    from vss.bench.served import require_task
    from vss.logs import configure
    from vss.model_store.resolve import resolve_model
    from vss.workers.pictures.kinds import CLASSIFY

    configure(level="WARNING")
    settings = override(settings, {"model.threads": threads})
    if pictures is not None:
        jpegs, size = read_jpegs(pictures)
    else:
        size = SIZES[image_size or ("32x32" if spec is None and network == "resnet20" else "768x432")]
        jpegs = make_jpegs(video, size)
    with tempfile.TemporaryDirectory(prefix="vss-bench-") as folder:
        ref = resolve_model(spec, settings.model) if spec is not None else make_network(network, Path(folder))
        require_task(ref, CLASSIFY.task)
        with bench_settings(settings, own_cluster=names_no_cluster()) as own:
            report = bench_pictures(own, CLASSIFY, ref, jpegs, size, rounds=rounds, frames=frames, on_round=show_round)
    show(report, as_json=as_json)
