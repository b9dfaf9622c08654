"""`vss worker`."""

from __future__ import annotations

import click

from vss.cli.lazy_group import LazyGroup

COMMANDS: dict[str, tuple[str, str]] = {
    "detect": ("vss.cli.worker.detect:detect", "Detect objects in frames, one event a frame."),
    "classify": ("vss.cli.worker.classify:classify", "Classify frames, one event a frame."),
    "task": ("vss.cli.worker.task:task", "Do with frames what a task of your own does, one event a frame."),
    "anomaly": ("vss.cli.worker.anomaly:anomaly", "Look for anomalies in sensors' readings."),
    "forecast": ("vss.cli.worker.forecast:forecast", "Foretell sensors' readings, with intervals."),
    "aggregate": ("vss.cli.worker.aggregate:aggregate", "Aggregate readings and objects over spans of time."),
    "quality": ("vss.cli.worker.quality:quality", "Say when a source goes bad and when it is well again."),
    "cache": ("vss.cli.worker.cache:cache", "Keep the latest results in Redis."),
}


@click.group(cls=LazyGroup, modules=COMMANDS)
def worker() -> None:
    """Run a worker. Start more of the same to share the load."""
