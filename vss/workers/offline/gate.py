"""The gate before an activation: a version may serve when it agrees enough with the one that does."""

from __future__ import annotations

from collections.abc import Callable

from vss.config import Settings
from vss.errors import ConfigError
from vss.model_store.resolve import LATEST, ModelRef
from vss.workers.offline.version_spec import resolve_version


def agreement_gate(
    settings: Settings, compare: Callable[[tuple[ModelRef, ModelRef]], None]
) -> Callable[[ModelRef, str | None], None]:
    """A gate for `prepare_activation`.

    Args:
        settings: The store.
        compare: Compares the version that serves with the one that shall; raises `GateFailed` when they agree too
            little.

    Returns:
        What is asked with the version that shall serve, and the one that does. It raises what `compare` raises, and
        `ConfigError` when there is none to compare with.
    """

    def gate(wanted: ModelRef, serving: str | None) -> None:
        if serving == wanted.version:
            return
        # Without an activation workers serve the highest version.
        other = resolve_version(settings, wanted.name, serving or LATEST)
        if other.version == wanted.version:
            raise ConfigError(
                f"no other version of {wanted.name} serves that {wanted.version} could be compared with",
                fix=f"activate the first one without --require: vss models activate {wanted.name} {wanted.version}",
            )
        compare((other, wanted))

    return gate
