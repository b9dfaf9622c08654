"""From what a user calls a version of a model (`3`, `latest`, `active`, `gate@3`, a file) to the version."""

from __future__ import annotations

from typing import Final

from vss.config import Settings
from vss.model_store.layout import is_file_spec
from vss.model_store.resolve import LATEST, ModelRef, resolve_model
from vss.streams.activation_log import read_activations

ACTIVE: Final = "active"


def resolve_version(settings: Settings, name: str, text: str) -> ModelRef:
    """Finds a version.

    Args:
        settings: The store, and the cluster whose log says what is active.
        name: Of the model.
        text: A version of it, `latest`, `active`; or, whatever the name, `NAME@VERSION` or a file.

    Raises:
        ModelNotFound: There is none.
        ModelError: It cannot be read.
        BrokerUnavailable: No broker says what is active.
    """
    if is_file_spec(text) or "@" in text:
        return resolve_model(text, settings.model)
    version = active_version(settings, name) if text == ACTIVE else text
    return resolve_model(f"{name}@{version}", settings.model)


def active_version(settings: Settings, name: str) -> str:
    """The version that workers serve to keys that no canary does: the activated one, else the highest.

    Raises:
        BrokerUnavailable: No broker answers.
        ConfigError: The topics do not exist, or this user may not read them.
    """
    state = read_activations(settings.kafka).get(name)
    return (state.serving if state is not None else None) or LATEST
