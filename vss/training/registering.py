"""Makes a trained model the next version in the store, with its training beside it; never activates it."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Final

from vss.config import ModelSettings
from vss.errors import ConfigError
from vss.model_store.facts import read_facts
from vss.model_store.layout import is_valid_name, valid_name_from
from vss.model_store.manifest import Manifest
from vss.model_store.resolve import ModelRef
from vss.model_store.store import ModelStore

TRAINING_FILE: Final = "training.json"
PICTURE_FILE: Final = "training.png"


def refuse_name(name: str, task: str, settings: ModelSettings) -> None:
    """Says before the training, not after it, that nothing could be added under a name.

    Raises:
        ConfigError: The name is none, or a model of another task has it.
        StoreUnavailable: The store does not answer.
    """
    if not is_valid_name(name):
        raise ConfigError(f"{name!r} is no name of a model", fix=f"call it {valid_name_from(name)!r}")
    store = ModelStore.of(settings)
    if store.numbers(name) and (other := store.manifest(name).task) != task:
        raise ConfigError(f"{name} is a model for {other}, not for {task}", fix="give another --name")


def register(
    file: Path,
    name: str,
    task: str,
    settings: ModelSettings,
    training: Mapping[str, Any],
    picture: Path,
) -> ModelRef:
    """Adds a version.

    Args:
        file: The model, whole.
        name: Of the model; new or known.
        task: `anomaly` or `forecast`.
        settings: Which store.
        training: How it was trained, for people: goes into `training.json`.
        picture: PNG: goes into `training.png`.

    Raises:
        ConfigError: The name is none, or a model of another task has it.
        ModelError: The store cannot serve it.
        StoreUnavailable: The store does not answer.
    """
    return ModelStore.of(settings).add(
        file,
        name,
        Manifest(task=task),
        check=lambda copy: read_facts(copy, settings),
        extras={
            TRAINING_FILE: (json.dumps(training, indent=2) + "\n").encode(),
            PICTURE_FILE: picture.read_bytes(),
        },
    )
