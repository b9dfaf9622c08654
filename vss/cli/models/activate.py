"""`vss models activate`."""

from __future__ import annotations

import click

from vss.cli.model_options import fleet_store_options
from vss.cli.models.activation_gate import activation_gate, inputs_option, require_option
from vss.cli.models.activation_report import carry_out, reason_option, wait_option
from vss.cli.models.frame_options import FrameChoice, frame_options
from vss.cli.models.report import as_json_option
from vss.cli.numbers import FiniteRange
from vss.config import Settings

EXAMPLES = """\b
Example:
  vss models activate gate 4
  vss models activate gate 4 --canary 10 --max-error-rate 0.02 --max-p95-ms 80
  vss models activate gate 4 --require 0.98 --topic frames --from -10m
  vss models activate pump 4 --require 0.95 --inputs readings.csv
  vss models activate gate 4 --wait 60 --reason "fewer false alarms at night"
"""


@click.command(epilog=EXAMPLES, short_help="Make a version the one that every worker serves.")
@click.argument("name")
@click.argument("version")
@click.option("--canary", type=click.IntRange(1, 100), metavar="PERCENT", help="Serve only this share of the keys.")
@click.option(
    "--max-error-rate",
    type=FiniteRange(0, 1),
    metavar="0..1",
    help="Go back by itself when a larger share of its calls fails.",
)
@click.option(
    "--max-p95-ms",
    type=FiniteRange(0, min_open=True),
    metavar="MS",
    help="Go back by itself when the 95th percentile of its calls' time is longer.",
)
@click.option(
    "--min-requests",
    type=click.IntRange(1, 1_000_000),
    default=100,
    show_default=True,
    help="Records it must have answered before it is judged.",
)
@require_option
@frame_options
@inputs_option
@reason_option
@wait_option
@as_json_option
@fleet_store_options
def activate(
    settings: Settings,
    name: str,
    version: str,
    canary: int | None,
    max_error_rate: float | None,
    max_p95_ms: float | None,
    min_requests: int,
    require: float | None,
    choice: FrameChoice,
    inputs: tuple[str, ...],
    reason: str,
    wait_s: float | None,
    as_json: bool,
) -> None:
    """Make VERSION of a model the one that every worker serves, while they run.

    Each worker loads, warms and tries it beside the version it serves, and swaps between two micro-batches. A worker
    that cannot load it goes on with what it serves and says so in vss.model-events. With --canary it serves a share of
    the keys; activate it again without, and it is promoted.

    With --require the version that serves and VERSION look at the same frames or readings first; nothing changes when
    they agree less.
    """
    from vss.schemas.models import ServingLimits
    from vss.workers.activation.operator import prepare_activation

    limits = None
    if max_error_rate is not None or max_p95_ms is not None:
        limits = ServingLimits(max_error_rate=max_error_rate, max_p95_ms=max_p95_ms, min_requests=min_requests)
    percent = canary if canary is not None else 100
    gate = activation_gate(settings, choice, inputs, require)
    change = prepare_activation(settings, name, version, percent=percent, limits=limits, reason=reason, gate=gate)
    carry_out(settings, change, wait_s=wait_s, as_json=as_json)
