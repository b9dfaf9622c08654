"""Whether a detector knows the classes that a cascade shall look at: one it does not know would never be looked at."""

from __future__ import annotations

import difflib
from collections.abc import Sequence

from vss.config import ModelSettings
from vss.errors import ConfigError
from vss.model_store.facts import read_facts
from vss.model_store.resolve import resolve_model


def check_classes(wanted: Sequence[str], labels: Sequence[str]) -> None:
    """Compares classes with a detector's labels.

    Raises:
        ConfigError: It does not know one; names the nearest.
    """
    for name in wanted:
        # A model that suppresses by itself may not say what it knows.
        if labels and name not in labels:
            near = difflib.get_close_matches(name, labels, n=1, cutoff=0.0)
            raise ConfigError(f"the detector knows no class {name!r}", fix=f"did you mean {near[0]}?")


def check_classes_of(spec: str, settings: ModelSettings, wanted: Sequence[str]) -> None:
    """Compares classes with the labels of a model that is not loaded yet.

    Args:
        spec: `NAME`, `NAME@VERSION` or a file.
        settings: Where models are.
        wanted: The classes.

    Raises:
        ModelError: The model cannot be served.
        ConfigError: It does not know a class; names the nearest.
    """
    check_classes(wanted, read_facts(resolve_model(spec, settings), settings).labels)
