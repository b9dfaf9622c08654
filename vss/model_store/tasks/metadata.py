"""Names of classes: what a manifest says, and what exporters write into a model's file beside its graph."""

from __future__ import annotations

import ast
import json
from collections.abc import Mapping

from vss.errors import ConfigError
from vss.model_store.backends.model import Model
from vss.model_store.resolve import ModelRef


def labels_of(ref: ModelRef, model: Model, classes: int | None) -> tuple[str, ...] | None:
    """Class names by class id: its manifest's, else those in its file; None where neither names any.

    Args:
        ref: Which model.
        model: It, loaded.
        classes: As many as it tells apart; None where that is not known.

    Raises:
        ConfigError: It tells another number of classes apart.
    """
    labels = ref.manifest.labels or labels_in(model.metadata)
    if labels is not None and classes is not None and len(labels) != classes:
        where = "model.yaml" if ref.manifest.labels else "its metadata"
        raise ConfigError(
            f"the model tells {classes} classes apart, {where} names {len(labels)}", fix="correct labels in model.yaml"
        )
    return labels


def labels_in(metadata: Mapping[str, str]) -> tuple[str, ...] | None:
    """Class names by class id from the metadata that Ultralytics writes, `names`: a mapping or list, as Python or JSON.

    None when there are none that can be read.
    """
    text = metadata.get("names")
    if not text:
        return None
    try:
        names = ast.literal_eval(text)
    except (ValueError, SyntaxError, MemoryError, RecursionError):
        try:
            names = json.loads(text)
        except (ValueError, RecursionError):
            return None
    if isinstance(names, dict):
        try:
            by_id = {int(key): str(value) for key, value in names.items()}
        except (TypeError, ValueError):
            return None
        if sorted(by_id) != list(range(len(by_id))):
            return None
        return tuple(by_id[i] for i in range(len(by_id)))
    return tuple(map(str, names)) if isinstance(names, list | tuple) else None
