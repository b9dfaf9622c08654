"""`vss worker cache`."""

from __future__ import annotations

import click

from vss.cli.options import fleet_and_redis_options, override
from vss.cli.worker.options import worker_options
from vss.config import Settings

EXAMPLES = """\b
Example:
  vss worker cache
  vss worker cache --redis-url redis://cache:6379/2 --ttl 600
  vss worker cache --rebuild
"""


@click.command(epilog=EXAMPLES)
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
