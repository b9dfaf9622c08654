"""The models of `vss infer`: one, or a detector and what looks at its objects."""

from __future__ import annotations

from collections.abc import Sequence

from vss.config import ModelSettings
from vss.errors import ConfigError
from vss.model_store.resolve import resolve_model
from vss.model_store.runner.runner import Runner
from vss.model_store.serving.requests import Server
from vss.model_store.serving.single import SingleModel
from vss.workers.pictures.cascade import Cascade
from vss.workers.pictures.kinds import CLASSIFY, DETECT
from vss.workers.pictures.known_classes import check_classes


def open_models(
    settings: ModelSettings, spec: str, *, then: str | None, then_classes: Sequence[str] | None
) -> tuple[str, Server]:
    """Loads what pictures are looked at with.

    Args:
        settings: Where and how models run.
        spec: `NAME`, `NAME@VERSION` or a file.
        then: A classifier for each object, in the same way; None for none.
        then_classes: Which objects it looks at; None takes all.

    Returns:
        The task of the first model, and what answers.

    Raises:
        ModelError: A model cannot be served.
        ConfigError: The two do not fit together.
    """
    if then is None and then_classes is not None:
        raise ConfigError("--then-classes without --then", fix="name the classifier with --then")
    ref = resolve_model(spec, settings)
    task = ref.manifest.task
    then_ref = resolve_model(then, settings) if then is not None else None
    if then_ref is not None and (task, then_ref.manifest.task) != (DETECT.task, CLASSIFY.task):
        raise ConfigError(
            f"--then wants a detector and a classifier; {ref.name} is for {task},"
            f" {then_ref.name} for {then_ref.manifest.task}",
            fix="name a classifier with --then, and give its model.yaml `task: classification`",
        )
    first = Runner.load(ref, settings)
    if then_ref is None:
        return task, SingleModel(first)
    try:
        check_classes(then_classes or (), first.labels)
        second = Runner.load(then_ref, settings)
    except BaseException:
        first.close()
        raise
    return task, Cascade(SingleModel(first), SingleModel(second), classes=then_classes)
