"""Options of the commands that work on models, and how they become settings."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, TypeVar

import click

from vss.cli.options import CONFIG_OPTION, KAFKA_OPTION, REDIS_OPTION, with_settings

F = TypeVar("F", bound=Callable[..., Any])

# The flag's name as click passes it → the setting it overrides.
_SETTINGS = {
    "store": "model.store",
    "device": "model.device",
    "threads": "model.threads",
    "conf": "model.confidence",
    "threshold": "model.threshold",
    "iou": "model.iou",
    "classes": "model.classes",
    "max_detections": "model.max_detections",
    "top_k": "model.top_k",
    "features": "model.features",
}
_STORE_OPTION = click.option(
    "--store", metavar="FOLDER|URL", help="Folder or address of the model store.  [default: models]"
)
_RUN_OPTIONS = (
    click.option("--device", metavar="DEVICE", help="auto, cpu, cuda or tensorrt.  [default: auto]"),
    click.option("--threads", type=int, metavar="N", help="Frames in inference at once on the CPU; 0 is one a core."),
    click.option("--features", metavar="LAYER", help="Report what a layer puts out, or `pooled`: what the last sees."),
)
_DETECTOR_OPTIONS = (
    click.option("--conf", type=float, metavar="0..1", help="Lowest confidence.  [default: the model's, else 0.5]"),
    click.option(
        "--iou", type=float, metavar="0..1", help="IoU above which boxes merge.  [default: the model's, else 0.4]"
    ),
    click.option("--classes", metavar="A,B", help="Report only these classes."),
    click.option("--max-detections", type=int, metavar="N", help="Objects a picture may hold.  [default: 300]"),
)
_CASCADE_OPTIONS = (
    click.option("--then", metavar="NAME[@VERSION]|FILE", help="Have a classifier look at each object."),
    click.option(
        "--then-classes", callback=lambda *given: _names(given[-1]), metavar="A,B", help="At objects of these alone."
    ),
)
_CLASSIFIER_OPTIONS = (
    click.option("--top-k", type=int, metavar="N", help="Classes that a classification holds.  [default: 5]"),
)
_THRESHOLD_OPTION = click.option(
    "--threshold", type=float, metavar="SCORE", help="Above it a window is an anomaly.  [default: the model's]"
)
_SERIES_OPTIONS = (
    click.option("--device", metavar="DEVICE", help="auto, cpu, cuda or tensorrt.  [default: auto]"),
    click.option("--threads", type=int, metavar="N", help="Calls of a model at once on the CPU; 0 is one a core."),
)


def store_options(command: F) -> F:
    """Adds `--config` and `--store`, which reach the command as one `settings` argument."""
    return with_settings(command, CONFIG_OPTION, _STORE_OPTION, pop_flags=_pop_flags)


def fleet_store_options(command: F) -> F:
    """Adds what `store_options` adds and `--bootstrap-servers`; all of it reaches the command as `settings`."""
    return with_settings(command, _STORE_OPTION, CONFIG_OPTION, KAFKA_OPTION, pop_flags=_pop_flags)


def picture_options(command: F) -> F:
    """Adds `--config`, `--store` and all that models of any task take; it reaches the command as `settings`."""
    options = (*_RUN_OPTIONS, *_DETECTOR_OPTIONS, *_CLASSIFIER_OPTIONS)
    return with_settings(command, *options, CONFIG_OPTION, _STORE_OPTION, pop_flags=_pop_flags)


def fleet_picture_options(command: F) -> F:
    """Adds what `picture_options` adds and `--bootstrap-servers`; all of it reaches the command as `settings`."""
    options = (*_RUN_OPTIONS, *_DETECTOR_OPTIONS, *_CLASSIFIER_OPTIONS, _STORE_OPTION)
    return with_settings(command, *options, CONFIG_OPTION, KAFKA_OPTION, pop_flags=_pop_flags)


def detect_worker_options(command: F) -> F:
    """Adds what a detection worker's models and servers take; all of it reaches the command as `settings`."""
    return _worker(command, *_RUN_OPTIONS, *_DETECTOR_OPTIONS, *_CLASSIFIER_OPTIONS)


def classify_worker_options(command: F) -> F:
    """Adds what a classification worker's models and servers take; all of it reaches the command as `settings`."""
    return _worker(command, *_RUN_OPTIONS, *_CLASSIFIER_OPTIONS)


def task_worker_options(command: F) -> F:
    """Adds what every worker's models and servers take; all of it reaches the command as `settings`."""
    return _worker(command, *_RUN_OPTIONS)


def anomaly_worker_options(command: F) -> F:
    """Adds what an anomaly worker's models and servers take; all of it reaches the command as `settings`."""
    return _series_worker(command, _THRESHOLD_OPTION, *_SERIES_OPTIONS)


def forecast_worker_options(command: F) -> F:
    """Adds what a forecast worker's models and servers take; all of it reaches the command as `settings`."""
    return _series_worker(command, *_SERIES_OPTIONS)


def cascade_options(command: F) -> F:
    """Adds `--then` and `--then-classes`, which reach the command as `then` and `then_classes`."""
    for option in reversed(_CASCADE_OPTIONS):
        command = option(command)
    return command


def _worker(command: F, *options: Callable[[F], F]) -> F:
    fleet = (CONFIG_OPTION, KAFKA_OPTION, REDIS_OPTION)
    return with_settings(command, *options, _STORE_OPTION, *fleet, pop_flags=_pop_flags)


def _series_worker(command: F, *options: Callable[[F], F]) -> F:
    return with_settings(command, *options, _STORE_OPTION, CONFIG_OPTION, KAFKA_OPTION, pop_flags=_pop_flags)


def _names(text: str | None) -> tuple[str, ...] | None:
    return tuple(name.strip() for name in text.split(",")) if text else None


def _pop_flags(arguments: dict[str, Any]) -> dict[str, Any]:
    flags = {setting: arguments.pop(flag, None) for flag, setting in _SETTINGS.items()}
    flags["model.classes"] = _names(flags["model.classes"])
    return flags
