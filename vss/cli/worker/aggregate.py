"""`vss worker aggregate`."""

from __future__ import annotations

from pathlib import Path

import click

from vss.cli.numbers import FiniteRange
from vss.cli.options import fleet_options, override
from vss.config import Settings

EXAMPLES = """\b
Example:
  vss worker aggregate
  vss worker aggregate --of sensor --every 10,60,3600
  vss worker aggregate --store rocksdb --data /var/lib/vss/aggregates
"""


@click.command(epilog=EXAMPLES)
@click.option(
    "--of",
    "kind",
    type=click.Choice(["sensor", "camera", "both"]),
    default="both",
    show_default=True,
    help="Aggregate the features of sensors, the objects of cameras, or both.",
)
@click.option("--every", metavar="S,S,…", help="Spans of time, seconds.  [default: 10,60 sensors, 60 cameras]")
@click.option(
    "--grace", type=FiniteRange(0), metavar="SECONDS", help="Wait this long for records out of order.  [default: 5]"
)
@click.option(
    "--store",
    type=click.Choice(["memory", "rocksdb"]),
    help="Where tables are kept on this machine; both are restored from Kafka.  [default: memory]",
)
@click.option(
    "--data", type=click.Path(path_type=Path, file_okay=False), metavar="FOLDER", help="Folder for tables in RocksDB."
)
@click.option("--group", help="Consumer group; workers of a group share the partitions.")
@click.option(
    "--metrics-port",
    type=int,
    default=0,
    show_default=True,
    help="Port of /metrics, /healthz and /readyz; 0 picks a free one and logs it.",
)
@fleet_options
def aggregate(
    settings: Settings,
    kind: str,
    every: str | None,
    grace: float | None,
    store: str | None,
    data: Path | None,
    group: str | None,
    metrics_port: int,
) -> None:
    """Aggregate over spans of time: count, sum, min, mean, max and last, into vss.aggregates.

    By sensor and feature, and by camera and class. Values are exact whatever is killed; an event may come twice after a
    crash, with the same id.
    """
    from vss.workers.aggregate.program import run_aggregate

    every_s = _seconds(every) if every is not None else None
    settings = override(
        settings,
        {
            "aggregate.sensor_every_s": every_s,
            "aggregate.camera_every_s": every_s,
            "aggregate.grace_ms": None if grace is None else round(grace * 1000),
            "aggregate.store": store,
            "aggregate.data": data,
            "loop.group": group,
        },
    )
    run_aggregate(settings, ["sensor", "camera"] if kind == "both" else [kind], metrics_port=metrics_port)


def _seconds(text: str) -> tuple[int, ...]:
    from vss.errors import ConfigError

    try:
        return tuple(int(part) for part in text.split(","))
    except ValueError:
        raise ConfigError(f"--every {text}: not whole seconds", fix="such as --every 10,60") from None
