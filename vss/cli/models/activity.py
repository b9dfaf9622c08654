"""What `vss models` says about which versions serve."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING

import click

from vss.config import Settings
from vss.errors import ConfigError, VssError

if TYPE_CHECKING:
    from vss.streams.activation_state import ActivationState

_QUICK_S = 2.0


def states_or_note(settings: Settings) -> Mapping[str, ActivationState] | None:
    """What is active; None, with a note on stderr, where no broker says so quickly."""
    from vss.workers.activation.in_use import states_now

    try:
        return states_now(settings.kafka, patience_s=_QUICK_S)
    except VssError as error:
        click.secho(f"which versions are active is not known: {error}", dim=True, err=True)
        return None


def role_of(version: str, state: ActivationState | None) -> str | None:
    """`active`, `canary 10%`, or None for a version that serves nothing."""
    if state is None:
        return None
    if state.is_canary and version == state.activation.version:
        return f"canary {state.activation.percent}%"
    return "active" if version == state.serving else None


def in_use(settings: Settings, name: str) -> frozenset[str]:
    """Versions of a model that may not be removed.

    Raises:
        ConfigError: Nobody can say.
    """
    from vss.workers.activation.in_use import states_now, versions_in_use

    try:
        return versions_in_use(states_now(settings.kafka, patience_s=_QUICK_S).get(name))
    except VssError as error:
        raise ConfigError(
            f"whether it is active is not known: {error}",
            fix="start the broker or name it with --bootstrap-servers; --offline removes it all the same",
        ) from error
