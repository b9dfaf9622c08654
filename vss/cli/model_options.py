"""Options of the commands that work on models, and how they become settings."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, TypeVar

import click

from vss.cli.options import CONFIG_OPTION, KAFKA_OPTION, with_settings

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
    return with_settings(command, CONFIG_OPTION, _STORE_OPTION, pop_flags=_pop_flags)


def fleet_store_options(command: F) -> F:
    """Adds what `store_options` adds and `--bootstrap-servers`; all of it reaches the command as `settings`."""
    return with_settings(command, _STORE_OPTION, CONFIG_OPTION, KAFKA_OPTION, pop_flags=_pop_flags)


def detector_options(command: F) -> F:
    """Adds what `store_options` adds and how a detector runs; all of it reaches the command as `settings`."""
    return with_settings(command, *_DETECTOR_OPTIONS, CONFIG_OPTION, _STORE_OPTION, pop_flags=_pop_flags)


def fleet_detector_options(command: F) -> F:
    """Adds what `detector_options` adds and `--bootstrap-servers`; all of it reaches the command as `settings`."""
    return with_settings(command, *_DETECTOR_OPTIONS, _STORE_OPTION, CONFIG_OPTION, KAFKA_OPTION, pop_flags=_pop_flags)


def _pop_flags(arguments: dict[str, Any]) -> dict[str, Any]:
    flags = {setting: arguments.pop(flag, None) for flag, setting in _SETTINGS.items()}
    classes = flags["model.classes"]
    flags["model.classes"] = tuple(name.strip() for name in classes.split(",")) if classes else None
    return flags
