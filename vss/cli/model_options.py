"""Options of the commands that work on models, and how they become settings."""

from __future__ import annotations

import functools
from collections.abc import Callable
from pathlib import Path
from typing import Any, TypeVar, cast

import click

from vss.cli.options import nested, override, settings_with
from vss.config import Settings
from vss.logs import configure

F = TypeVar("F", bound=Callable[..., Any])

# The flag's name as click passes it → the setting it overrides.
_SETTINGS = {
    "store": "model.store",
    "device": "model.device",
    "threads": "model.threads",
    "conf": "model.confidence",
    "iou": "model.iou",
    "classes": "model.classes",
    "max_detections": "model.max_detections",
}
_STORE_OPTION = click.option("--store", metavar="FOLDER", help="Folder of the model store.  [default: models]")
_STORE_OPTIONS = (
    click.option("--config", type=click.Path(path_type=Path), envvar="VSS_CONFIG", help="Settings file (vss.toml)."),
    _STORE_OPTION,
)
_DETECTOR_OPTIONS = (
    click.option("--device", metavar="DEVICE", help="auto, cpu, cuda or tensorrt.  [default: auto]"),
    click.option("--threads", type=int, metavar="N", help="Frames in inference at once on the CPU; 0 is one a core."),
    click.option("--conf", type=float, metavar="0..1", help="Lowest confidence.  [default: the model's, else 0.5]"),
    click.option(
        "--iou", type=float, metavar="0..1", help="IoU above which boxes merge.  [default: the model's, else 0.4]"
    ),
    click.option("--classes", metavar="A,B", help="Report only these classes."),
    click.option("--max-detections", type=int, metavar="N", help="Objects a picture may hold.  [default: 300]"),
)


def store_options(command: F) -> F:
    """Adds `--config` and `--store`, which reach the command as one `settings` argument."""
    return _with_settings(command, _STORE_OPTIONS)


def detector_options(command: F) -> F:
    """Adds what `store_options` adds and how a detector runs; all of it reaches the command as `settings`."""
    return _with_settings(command, _DETECTOR_OPTIONS + _STORE_OPTIONS)


def detector_flags(command: F) -> F:
    """Adds how a detector runs to a command that has its settings from `fleet_options`, which comes above this."""

    @functools.wraps(command)
    def wrapped(settings: Settings, **arguments: Any) -> Any:
        flags = _pop_flags(arguments)
        return command(settings=override(settings, flags), **arguments)

    return _decorated(wrapped, (*_DETECTOR_OPTIONS, _STORE_OPTION))


def _with_settings(command: F, options: tuple[Callable[[F], F], ...]) -> F:
    @functools.wraps(command)
    def wrapped(config: Path | None, **arguments: Any) -> Any:
        configure(level="DEBUG" if click.get_current_context().find_root().obj else "INFO")
        flags = _pop_flags(arguments)
        return command(settings=settings_with(config, nested(flags)), **arguments)

    return _decorated(wrapped, options)


def _pop_flags(arguments: dict[str, Any]) -> dict[str, Any]:
    flags = {setting: arguments.pop(flag, None) for flag, setting in _SETTINGS.items()}
    classes = flags["model.classes"]
    flags["model.classes"] = tuple(name.strip() for name in classes.split(",")) if classes else None
    return flags


def _decorated(command: Callable[..., Any], options: tuple[Callable[[F], F], ...]) -> F:
    decorated = cast("F", command)
    for option in reversed(options):
        decorated = option(decorated)
    return decorated
