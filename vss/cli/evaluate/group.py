"""`vss evaluate`."""

from __future__ import annotations

import click

from vss.cli.lazy_group import LazyGroup

COMMANDS: dict[str, tuple[str, str]] = {
    "anomaly": ("vss.cli.evaluate.anomaly:anomaly", "Measure detectors by the protocols of SKAB and NAB."),
    "forecast": ("vss.cli.evaluate.forecast:forecast", "Measure forecasts by the protocol of ETT."),
}


@click.group(cls=LazyGroup, modules=COMMANDS)
def evaluate() -> None:
    """Measure how well models of readings do, by the protocols of public benchmarks."""
