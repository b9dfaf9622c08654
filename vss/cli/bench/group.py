"""`vss bench`."""

from __future__ import annotations

import click

from vss.cli.lazy_group import LazyGroup

COMMANDS: dict[str, tuple[str, str]] = {
    "detect": ("vss.cli.bench.detect:detect", "Measure what a detection worker costs beside its model."),
    "models": ("vss.cli.bench.models:models", "Measure what models take: load, warm-up, memory, batches."),
    "classify": ("vss.cli.bench.classify:classify", "Measure what a classification worker costs beside its model."),
    "gpu": ("vss.cli.bench.gpu:gpu", "Measure a detector and a classifier on this machine's GPU."),
    "swap": ("vss.cli.bench.swap:swap", "Measure what it costs to swap a model under full load."),
    "accuracy": ("vss.cli.bench.accuracy:accuracy", "Measure whether a model's boxes are right."),
    "telemetry": ("vss.cli.bench.telemetry:telemetry", "Measure how many readings a second a worker takes."),
    "series": (
        "vss.cli.bench.series:series",
        "Measure what a worker that looks at windows costs beside its model.",
    ),
    "memory": ("vss.cli.bench.memory:memory", "Measure how much memory a detection worker holds."),
}


@click.group(cls=LazyGroup, modules=COMMANDS)
def bench() -> None:
    """Measure the fleet on this machine."""
