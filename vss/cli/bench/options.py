"""Options that benches share."""

from __future__ import annotations

from pathlib import Path

import click


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
rounds_option = click.option(
    "--rounds", type=click.IntRange(5), default=5, show_default=True, help="Times both sides are measured."
)
frames_option = click.option(
    "--frames", type=click.IntRange(32), default=256, show_default=True, help="Frames in each round."
)
threads_option = click.option(
    "--threads", type=int, metavar="N", help="Frames in inference at once on the CPU; 0 is one a core."
)
json_option = click.option("--json", "as_json", is_flag=True, help="Print one JSON object for machines.")


def names_no_cluster() -> bool:
    """Whether the bench has to start a Kafka of its own."""
    return not click.get_current_context().params.get("bootstrap_servers")
