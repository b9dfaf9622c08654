"""`vss worker quality`: the step on the cluster that the settings name."""

from __future__ import annotations

from collections.abc import Sequence

from vss.clock import SystemClock
from vss.config import Settings
from vss.errors import ConfigError
from vss.logs import get_logger
from vss.metrics import Metrics
from vss.schemas.topics import FRAMES, TELEMETRY
from vss.workers.quality.step import NAME, QualityStep
from vss.workers.service import consumer_group, serve


def run_quality(settings: Settings, kinds: Sequence[str], *, metrics_port: int | None) -> None:
    """Runs until it is told to stop.

    Args:
        settings: The cluster, what is wrong, and the limits.
        kinds: `sensor`, `camera` or both.
        metrics_port: See `serve`.

    Raises:
        ConfigError: A range is none, or records would be shed by age.
        VssError: See `serve`.
    """
    for name, (low, high) in settings.quality.ranges.items():
        if not low < high:
            raise ConfigError(f"quality.ranges: {name} goes from {low:g} to {high:g}", fix="give the lower value first")
    if settings.loop.max_age_ms is not None:
        raise ConfigError(
            "loop.max_age_ms leaves old records out, but a source that is not looked at seems silent",
            fix="remove loop.max_age_ms",
        )
    logger = get_logger(f"worker.{NAME}")
    metrics, clock = Metrics(), SystemClock()
    group = consumer_group(settings, NAME)
    step = QualityStep(settings, group=group, metrics=metrics, clock=clock, logger=logger)
    topics = {"camera": FRAMES, "sensor": TELEMETRY}
    serve(
        step,
        settings=settings,
        topics=[topics[kind].name(settings.kafka.topic_prefix) for kind in kinds],
        metrics=metrics,
        logger=logger,
        metrics_port=metrics_port,
        state=step.state,
    )
