"""Which windows of a micro-batch go to a version together."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import numpy as np
from numpy.typing import NDArray

from vss.model_store.serving.plan import ModelVersion
from vss.model_store.serving.plans import Plans
from vss.model_store.serving.routing import Router

Places = NDArray[np.intp]


def shares(
    router: Router, plans: Plans, keys: Sequence[bytes], models: Sequence[str | None] | None, task: str
) -> Iterator[tuple[Places, str | None]]:
    """The windows that one version answers, and the model that they ask for by name. Called with `plans.lock` held.

    Where a model has yet to be opened nobody knows which of its versions answers which key: each of its windows is a
    share of its own.

    Args:
        router: Which model a window asks for.
        plans: Who serves.
        keys: Of the windows' records.
        models: See `WindowServer.submit_windows`.
        task: Of all.
    """
    for places, model in _by_model(router, keys, models, task):
        spec = router.spec_for(keys[places[0]], task, model)
        plan = plans.get(spec) if spec is not None else None
        if plan is None:
            yield from ((places[i : i + 1], model) for i in range(len(places)))
        elif plan.candidate is None or plan.percent >= 100:
            yield places, model
        else:
            by_version: dict[ModelVersion, list[int]] = {}
            for place in places.tolist():
                by_version.setdefault(plan.version_for(keys[place]), []).append(place)
            yield from ((np.array(own, np.intp), model) for own in by_version.values())


def _by_model(
    router: Router, keys: Sequence[bytes], models: Sequence[str | None] | None, task: str
) -> Iterator[tuple[Places, str | None]]:
    if models is None and not router.routes(task):
        if len(keys):
            yield np.arange(len(keys)), None
        return
    asked = models if models is not None else [None] * len(keys)
    by_spec: dict[tuple[str | None, str | None], list[int]] = {}
    for place, (key, model) in enumerate(zip(keys, asked, strict=True)):
        by_spec.setdefault((router.spec_for(key, task, model), model), []).append(place)
    yield from ((np.array(places, np.intp), model) for (_, model), places in by_spec.items())
