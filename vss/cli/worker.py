"""`vss worker detect` and `vss worker cache`."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, TypeVar

import click

from vss.cli.model_options import fleet_detector_options
from vss.cli.options import fleet_and_redis_options, override
from vss.config import Settings

F = TypeVar("F", bound=Callable[..., Any])

DETECT_EXAMPLES = """\b
Example:
  vss worker detect --model yolov8n.onnx
  vss worker detect --model gate@3 --classes person,car --conf 0.4
  vss worker detect --model gate --device cuda --group night-shift
"""
CACHE_EXAMPLES = """\b
Example:
  vss worker cache
  vss worker cache --redis-url redis://cache:6379/2 --ttl 600
  vss worker cache --rebuild
"""


def worker_options(command: F) -> F:
    """Adds what every worker takes."""
    options = (
        click.option("--group", help="Consumer group; workers of a group share the partitions."),
        click.option(
            "--max-batch", type=int, metavar="N", help="Records in a micro-batch.  [default: 32 frames, 256 results]"
        ),
        click.option(
            "--metrics-port",
            type=int,
            default=0,
            show_default=True,
            help="Port of /metrics, /healthz and /readyz; 0 picks a free one and logs it.",
        ),
    )
    for option in reversed(options):
        command = option(command)
    return command


@click.group()
def worker() -> None:
    """Run a worker. Start more of the same to share the load."""


@worker.command(epilog=DETECT_EXAMPLES, short_help="Detect objects in frames, one event a frame.")
@click.option("--model", "spec", required=True, metavar="NAME[@VERSION]|FILE", help="A model of the store or a file.")
@fleet_detector_options
@click.option("--max-age-ms", type=float, metavar="MS", help="Shed older frames with a note.  [default: never]")
@worker_options
def detect(
    settings: Settings,
    spec: str,
    max_age_ms: float | None,
    group: str | None,
    max_batch: int | None,
    metrics_port: int,
) -> None:
    """Detect objects in frames: one event a frame into vss.detections, exactly once."""
    from vss.workers.pictures.kinds import DETECT
    from vss.workers.programs import run_pictures

    flags = {"loop.max_age_ms": max_age_ms, "loop.group": group, "loop.max_batch": max_batch}
    settings = override(settings, flags)
    run_pictures(settings, DETECT, spec=spec, metrics_port=metrics_port)


@worker.command(epilog=CACHE_EXAMPLES, short_help="Keep the latest results in Redis.")
@click.option("--ttl", type=int, metavar="SECONDS", help="How long a result stays readable.  [default: 3600]")
@click.option("--rebuild", is_flag=True, help="Read the results of the last --ttl seconds into Redis first.")
@worker_options
@fleet_and_redis_options
def cache(
    settings: Settings,
    ttl: int | None,
    rebuild: bool,
    group: str | None,
    max_batch: int | None,
    metrics_port: int,
) -> None:
    """Keep the latest results in Redis: a view of the result topics that can be rebuilt."""
    from vss.workers.programs import run_cache

    # Results are small and a pipeline of writes to Redis costs one round trip: larger batches than frames need.
    batch = max_batch if max_batch is not None else max(settings.loop.max_batch, 256)
    settings = override(settings, {"redis.ttl_s": ttl, "loop.group": group, "loop.max_batch": batch})
    run_cache(settings, rebuild=rebuild, metrics_port=metrics_port)
