"""The gate before an activation: a version may serve when it agrees enough with the one that does."""

from __future__ import annotations

from collections.abc import Callable, Iterable

from vss.config import Settings
from vss.errors import ConfigError
from vss.model_store.comparison.gate import require_agreement
from vss.model_store.resolve import LATEST, ModelRef
from vss.workers.offline.compare import Comparison, compare_versions
from vss.workers.offline.frames import BadFrame, Frame
from vss.workers.offline.version_spec import resolve_version


def agreement_gate(
    settings: Settings,
    frames: Iterable[Frame | BadFrame],
    required: float,
    *,
    on_compared: Callable[[Comparison], None] = lambda _: None,
) -> Callable[[ModelRef, str | None], None]:
    """A gate for `prepare_activation`.

    Args:
        settings: The store, and how models run.
        frames: What both versions look at.
        required: Lowest agreement, 0..1.
        on_compared: Told what was found, before it is judged.

    Returns:
        What is asked with the version that shall serve, and the one that does. It raises `GateFailed` when they agree
        less, and `ConfigError` when there is none to compare with.
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
        found = compare_versions((other, wanted), settings.model, frames, worst=0, memory=False)
        on_compared(found)
        require_agreement(found.tally, required, a=found.a.label, b=found.b.label)

    return gate
