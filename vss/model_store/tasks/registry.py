"""The tasks that a manifest may name: ours, and those that installed packages bring along.

A package offers a task of its own by an entry point of the group `vss.tasks`: its name is what `task` says in a
manifest, what it points to is a `TaskKind` or a `TaskLoader`. Nothing of a package is imported before a model asks for
its task.
"""

from __future__ import annotations

import difflib
from collections.abc import Callable, Mapping
from importlib.metadata import EntryPoint, entry_points
from typing import Any, Final

from vss.config import ModelSettings
from vss.errors import ConfigError, ModelUnsupported, VssError
from vss.model_store.backends.model import Model
from vss.model_store.resolve import ModelRef
from vss.model_store.tasks.guard import GuardedTask
from vss.model_store.tasks.task import PictureTask, TaskKind, TaskLoader

GROUP: Final = "vss.tasks"


def _detection() -> TaskKind:
    from vss.model_store.tasks.detection.task import DETECTION

    return DETECTION


def _classification() -> TaskKind:
    from vss.model_store.tasks.classification.task import CLASSIFICATION

    return CLASSIFICATION


def _anomaly() -> TaskKind:
    from vss.model_store.tasks.series.anomaly import ANOMALY

    return ANOMALY


def _forecast() -> TaskKind:
    from vss.model_store.tasks.series.forecast import FORECAST

    return FORECAST


# Imported when a model asks for it, as a package's is.
OURS: Final[Mapping[str, Callable[[], TaskKind]]] = {
    "detection": _detection,
    "classification": _classification,
    "anomaly": _anomaly,
    "forecast": _forecast,
}


def task_kind(name: str) -> TaskKind:
    """The task of that name.

    Raises:
        ConfigError: There is none, and the nearest is named; or the package that offers it is broken or not the only
            one, and the package is named.
    """
    if name in OURS:
        return OURS[name]()
    found = list(entry_points(group=GROUP, name=name))
    if not found:
        near = difflib.get_close_matches(name, known_tasks(), n=1, cutoff=0.0)[0]
        raise ConfigError(
            f"unknown task {name!r}", fix=f"did you mean {near}? (a package may offer more, as entry points {GROUP})"
        )
    # The same package may be found twice, when its folder is on the path and it is installed.
    if len({(point.value, _package(point)) for point in found}) > 1:
        packages = " and ".join(sorted(_package(point) for point in found))
        raise ConfigError(f"task {name!r} is offered by {packages}", fix="uninstall one of them")
    return _loaded(name, found[0])


def step_of(name: str) -> str:
    """What a worker's step for a task is called; its own name where it is not ours."""
    return OURS[name]().step_name if name in OURS else name


def package_of(name: str) -> str:
    """Name and version of the package that offers a task; empty for ours, and where nobody offers it."""
    points = entry_points(group=GROUP, name=name) if name not in OURS else ()
    return ", ".join(sorted({f"{_package(point)} {_version(point)}" for point in points}))


def known_tasks() -> list[str]:
    """The name of every task, ours first."""
    return [*OURS, *sorted({point.name for point in entry_points(group=GROUP)} - OURS.keys())]


def _loaded(name: str, point: EntryPoint) -> TaskKind:
    package = _package(point)
    try:
        offered: Any = point.load()
    except KeyboardInterrupt:
        raise
    except BaseException as error:  # a package of somebody else's may raise anything
        raise ConfigError(
            f"task {name!r} of package {package} cannot be imported ({point.value}): {type(error).__name__}: {error}",
            fix=f"correct or reinstall {package}",
        ) from error
    loader: Any = offered.load if isinstance(offered, TaskKind) else offered
    if not callable(loader):
        raise ConfigError(
            f"task {name!r} of package {package} is no function: {point.value} is {type(offered).__name__}",
            fix="let the entry point name a function (ModelRef, Model, ModelSettings) -> PictureTask",
        )
    return TaskKind(name, _guarded(loader, name, package))


def _guarded(loader: TaskLoader, name: str, package: str) -> TaskLoader:
    def load(ref: ModelRef, model: Model, settings: ModelSettings) -> PictureTask[Any]:
        try:
            return GuardedTask(loader(ref, model, settings), f"task {name!r} of package {package}")
        except (VssError, KeyboardInterrupt):
            raise
        except BaseException as error:  # a package of somebody else's may raise anything
            raise ModelUnsupported(
                f"task {name!r} of package {package} failed on {ref.file.name}: {type(error).__name__}: {error}",
                fix=f"give a model that {package} takes, or correct {package}",
            ) from error

    return load


def _package(point: EntryPoint) -> str:
    return point.dist.name if point.dist is not None else point.value.partition(":")[0]


def _version(point: EntryPoint) -> str:
    return point.dist.version if point.dist is not None else ""
