"""`vss train`."""

from __future__ import annotations

import click

from vss.cli.lazy_group import LazyGroup

COMMANDS: dict[str, tuple[str, str]] = {
    "anomaly": ("vss.cli.train.anomaly:anomaly", "Learn what is normal, and make a detector of what is not."),
    "forecast": ("vss.cli.train.forecast:forecast", "Learn to foretell readings, with intervals that hold."),
}


@click.group(cls=LazyGroup, modules=COMMANDS)
def train() -> None:
    """Train models on readings, from a table or a topic, into the model store."""
