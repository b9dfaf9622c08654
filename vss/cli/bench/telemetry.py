"""`vss bench telemetry`."""

from __future__ import annotations

import click

from vss.cli.bench.options import json_option, names_no_cluster, rounds_option
from vss.cli.options import fleet_options
from vss.config import Settings

EXAMPLES = """\b
Example:
  vss bench telemetry
  vss bench telemetry --rounds 9 --max-batch 4096 --json > telemetry.json
"""


@click.command(epilog=EXAMPLES, short_help="Measure how many readings a second a worker takes.")
@click.option(
    "--readings", type=click.IntRange(20_000), default=204_800, show_default=True, help="Readings in each round."
)
@click.option("--sensors", type=click.IntRange(1, 100), default=64, show_default=True, help="Sensors they are of.")
@rounds_option
@click.option(
    "--max-batch",
    type=click.IntRange(1, 4096),
    default=2048,
    show_default=True,
    metavar="N",
    help="Readings in a micro-batch of the worker.",
)
@json_option
@fleet_options
def telemetry(settings: Settings, readings: int, sensors: int, rounds: int, max_batch: int, as_json: bool) -> None:
    """Measure how many readings a second a worker takes, beside the shortest loop that does the same.

    Both read the same topic in turn and write a rolling score of each sensor's newest 100 readings, at each tenth of
    them, exactly once. Every event is held to a reference. Starts a Kafka of its own unless --bootstrap-servers names
    one.
    """
    from vss.bench.cluster import bench_settings
    from vss.bench.telemetry.contest import bench_telemetry, make_feed
    from vss.cli.bench.telemetry_report import show, show_turn
    from vss.logs import configure

    configure(level="WARNING")
    feed = make_feed(sensors=sensors, readings=readings)
    with bench_settings(settings, own_cluster=names_no_cluster()) as own:
        report = bench_telemetry(own, feed, rounds=rounds, batch=max_batch, on_round=show_turn)
    show(report, as_json=as_json)
