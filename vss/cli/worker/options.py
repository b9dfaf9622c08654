"""Options that workers share."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, TypeVar

import click

from vss.cli.options import override
from vss.config import Settings

F = TypeVar("F", bound=Callable[..., Any])

model_option = click.option(
    "--model", "spec", required=True, metavar="NAME[@VERSION]|FILE", help="A model of the store or a file."
)
_FRAME_OPTIONS = (
    click.option("--max-age-ms", type=float, metavar="MS", help="Shed older frames with a note.  [default: never]"),
    click.option(
        "--no-result-cache", is_flag=True, help="Ask the model anew for a picture that was seen before, byte for byte."
    ),
)
_WORKER_OPTIONS = (
    click.option("--group", help="Consumer group; workers of a group share the partitions."),
    click.option(
        "--max-batch",
        type=int,
        metavar="N",
        help="Records in a micro-batch.  [default: 32 frames, 256 results, 2048 readings]",
    ),
    click.option(
        "--metrics-port",
        type=int,
        default=0,
        show_default=True,
        help="Port of /metrics, /healthz and /readyz; 0 picks a free one and logs it.",
    ),
)


def worker_options(command: F) -> F:
    """Adds what every worker takes."""
    for option in reversed(_WORKER_OPTIONS):
        command = option(command)
    return command


def frame_worker_options(command: F) -> F:
    """Adds what every worker takes and what those that look at frames do, which reach the command as they are."""
    command = worker_options(command)
    for option in reversed(_FRAME_OPTIONS):
        command = option(command)
    return command


def with_worker_flags(
    settings: Settings, *, max_age_ms: float | None, no_result_cache: bool, group: str | None, max_batch: int | None
) -> Settings:
    """The settings with what `frame_worker_options` gave.

    Raises:
        ConfigError: A value does not fit.
    """
    flags = {
        "loop.max_age_ms": max_age_ms,
        "loop.group": group,
        "loop.max_batch": max_batch,
        "redis.result_cache": False if no_result_cache else None,
    }
    return override(settings, flags)
