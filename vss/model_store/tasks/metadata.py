"""What exporters write into a model's file beside its graph."""

from __future__ import annotations

import ast
import json
from collections.abc import Mapping


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
