"""Options of the workers that look at windows of readings."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, TypeVar

import click

from vss.cli.numbers import FiniteRange
from vss.cli.options import override
from vss.cli.worker.options import worker_options
from vss.config import Settings

F = TypeVar("F", bound=Callable[..., Any])

_OPTIONS = (
    click.option(
        "--stride", type=int, metavar="N", help="Look at a window each N periods of a sensor.  [default: each reading]"
    ),
    click.option(
        "--lateness",
        type=FiniteRange(min=0),
        metavar="SECONDS",
        help="How far a reading may lie behind its sensor's newest.  [default: 60]",
    ),
    click.option(
        "--expire-after",
        type=FiniteRange(min=0, min_open=True),
        metavar="SECONDS",
        help="A gap this long starts a sensor's window anew.  [default: 3600]",
    ),
    click.option(
        "--sensors",
        callback=lambda *given: _names(given[-1]),
        metavar="PATTERN,…",
        help="Sensors that are expected, such as pump-*; readings of others are dead letters.  [default: all]",
    ),
)


def sensor_worker_options(command: F) -> F:
    """Adds what such workers take and what every worker does, which reach the command as they are."""
    command = worker_options(command)
    for option in reversed(_OPTIONS):
        command = option(command)
    return command


def with_sensor_flags(
    settings: Settings,
    *,
    stride: int | None,
    lateness: float | None,
    expire_after: float | None,
    sensors: tuple[str, ...] | None,
    group: str | None,
    max_batch: int | None,
) -> Settings:
    """The settings with what `sensor_worker_options` gave, and a batch as large as small records want it.

    Raises:
        ConfigError: A value does not fit.
    """
    from vss.workers.telemetry.program import READINGS_BATCH

    if max_batch is None and "max_batch" not in settings.loop.model_fields_set:
        max_batch = READINGS_BATCH
    flags = {
        "windows.stride": stride,
        "windows.lateness_ms": round(lateness * 1000) if lateness is not None else None,
        "windows.expire_after_ms": round(expire_after * 1000) if expire_after is not None else None,
        "windows.sensors": sensors,
        "loop.group": group,
        "loop.max_batch": max_batch,
    }
    return override(settings, flags)


def _names(text: str | None) -> tuple[str, ...] | None:
    return tuple(name.strip() for name in text.split(",")) if text else None
