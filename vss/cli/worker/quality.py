"""`vss worker quality`."""

from __future__ import annotations

import click

from vss.cli.options import fleet_options, override
from vss.cli.worker.options import worker_options
from vss.config import Settings

EXAMPLES = """\b
Example:
  vss worker quality
  vss worker quality --of sensor --range pressure=0:16 --range 'boiler-*:temperature=-20:140'
  vss worker quality --of camera
"""


@click.command(epilog=EXAMPLES)
@click.option(
    "--of",
    "kind",
    type=click.Choice(["sensor", "camera", "both"]),
    default="both",
    show_default=True,
    help="Watch sensors, cameras, or both.",
)
@click.option(
    "--range",
    "ranges",
    multiple=True,
    metavar="[SENSORS:]FEATURE=LOW:HIGH",
    help="What a feature may physically be; repeatable, and SENSORS may be a pattern.",
)
@click.option("--stuck-after", type=float, metavar="S", help="A value that does not change this long.  [default: 600]")
@click.option("--frozen-after", type=float, metavar="S", help="A picture that does not this long.  [default: 10]")
@worker_options
@fleet_options
def quality(
    settings: Settings,
    kind: str,
    ranges: tuple[str, ...],
    stuck_after: float | None,
    frozen_after: float | None,
    group: str | None,
    max_batch: int | None,
    metrics_port: int,
) -> None:
    """Say when a sensor's or camera's input goes bad, and when it is well again, into vss.quality.

    Sensors: stuck, silent, out of range, a clock that leaps. Cameras: silent, frozen, black, blurred. Each problem has
    a start and an end, exactly once.
    """
    from vss.workers.quality.program import run_quality

    given = {**settings.quality.ranges, **dict(map(_range, ranges))}
    settings = override(
        settings,
        {
            "quality.ranges": given or None,
            "quality.stuck_after_s": stuck_after,
            "quality.frozen_after_s": frozen_after,
            "loop.group": group,
            "loop.max_batch": max_batch,
        },
    )
    run_quality(settings, ["sensor", "camera"] if kind == "both" else [kind], metrics_port=metrics_port)


def _range(text: str) -> tuple[str, tuple[float, float]]:
    from vss.errors import ConfigError

    name, _, limits = text.rpartition("=")
    low, _, high = limits.partition(":")
    try:
        return name, (float(low), float(high))
    except ValueError:
        raise ConfigError(f"--range {text}: no range", fix="such as --range pressure=0:16") from None
