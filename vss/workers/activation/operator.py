"""What an operator does: activate a version, go back to the one before."""

from __future__ import annotations

import uuid
from collections.abc import Callable
from dataclasses import dataclass

from vss.clock import Clock, SystemClock
from vss.codecs.headers import format_time
from vss.config import Settings
from vss.errors import ConfigError, VssError
from vss.model_store.layout import is_file_spec, is_valid_name
from vss.model_store.resolve import ModelRef, resolve_model
from vss.model_store.store import ModelStore
from vss.schemas.models import ModelActivation, ServingLimits
from vss.streams.activation_log import read_activations
from vss.streams.activation_state import ActivationState, Order, next_activation, rollback_activation
from vss.streams.activation_writer import publish_activation

Gate = Callable[[ModelRef, str | None], None]
"""Asked before a version is activated, with the version that serves now; raises `GateFailed` to refuse."""


@dataclass(frozen=True, slots=True)
class Change:
    """What an operator changed.

    Attributes:
        before: What held until then; None where nothing was active.
        activation: What holds from now on.
    """

    before: ActivationState | None
    activation: ModelActivation


def prepare_activation(
    settings: Settings,
    name: str,
    version: str,
    *,
    percent: int = 100,
    limits: ServingLimits | None = None,
    reason: str = "",
    gate: Gate | None = None,
    clock: Clock | None = None,
) -> Change:
    """The activation of a version, checked and not yet published.

    Args:
        settings: The cluster and the store.
        name: Of a model of the store.
        version: A number, or `latest`.
        percent: Share of the keys, 1..100.
        limits: What the version must keep.
        reason: For whoever reads it later.
        gate: What else must hold.
        clock: For the timestamp.

    Raises:
        ModelError: The store has no such version, or its file is not the one that was stored.
        ConfigError: There is nothing to go back to for a canary or for limits, or the topics are missing.
        BrokerUnavailable: No broker answers.
        GateFailed: The gate refuses it.
    """
    _check_name(name)
    ref = resolve_model(f"{name}@{version}", settings.model)
    state = read_activations(settings.kafka).get(name)
    order = Order(
        id=uuid.uuid4().hex,
        name=name,
        version=ref.version,
        percent=percent,
        limits=limits,
        reason=reason,
        timestamp=_now(clock),
    )
    activation = next_activation(state, order)
    if gate is not None:
        asked = state.serving if state is not None else None
        gate(ref, asked)
        # That may have taken minutes, in which somebody else may have activated something.
        state = read_activations(settings.kafka).get(name)
        serving = state.serving if state is not None else None
        if serving != asked:
            raise ConfigError(
                f"{name}@{serving} was activated while {name}@{order.version} was compared with {asked or 'nothing'}",
                fix="compare it with what serves now: run the same command again",
            )
        activation = next_activation(state, order)
    return Change(state, activation)


def prepare_rollback(settings: Settings, name: str, *, reason: str = "", clock: Clock | None = None) -> Change:
    """The activation of the version that served before, not yet published.

    It works while the store is away: workers that have the version loaded need none.

    Raises:
        ConfigError: There is none, the store has it no longer, or the topics are missing.
        BrokerUnavailable: No broker answers.
    """
    _check_name(name)
    state = read_activations(settings.kafka).get(name)
    activation = rollback_activation(
        state, activation_id=uuid.uuid4().hex, name=name, reason=reason, timestamp=_now(clock)
    )
    held = _versions_held(settings, name)
    if held and activation.version not in held:
        raise ConfigError(
            f"{name}@{activation.version} served before, and is no longer in the store {settings.model.store}",
            fix=f"activate one that is (vss models activate {name} VERSION): {', '.join(held)}",
        )
    return Change(state, activation)


def publish(settings: Settings, change: Change) -> None:
    """Makes a change hold.

    Raises:
        BrokerUnavailable: It was not written in time.
        ConfigError: This user may not write to the topic.
    """
    publish_activation(settings.kafka, change.activation)


def describe(change: Change) -> list[str]:
    """What happens now, a sentence a line."""
    activation, before = change.activation, change.before
    name, new = activation.name, f"{activation.name}@{activation.version}"
    stable = f"{name}@{activation.stable}" if activation.stable is not None else ""
    if activation.percent < 100:
        lines = [f"{new} serves {activation.percent} % of the keys, {stable} the others"]
    elif before is not None and before.is_canary and before.activation.version == activation.version:
        lines = [f"{new} is promoted: it serves all keys"]
    elif before is not None and before.serving not in (None, activation.version):
        lines = [f"{new} takes over from {name}@{before.serving}"]
    else:
        lines = [f"{new} serves all keys"]
    if (limits := activation.limits) is not None:
        broken = (
            [f"more than {limits.max_error_rate:.1%} of its calls fail"] if limits.max_error_rate is not None else []
        )
        if limits.max_p95_ms is not None:
            broken.append(f"its p95 is above {limits.max_p95_ms:g} ms")
        lines.append(f"back to {stable} when {' or '.join(broken)}, judged after {limits.min_requests} records")
    lines.append("each worker goes on with what it serves until it has loaded, warmed and tried the new one")
    return lines


def _versions_held(settings: Settings, name: str) -> list[str]:
    """What the store has; empty where it does not say."""
    try:
        return [str(held.version) for held in ModelStore.of(settings.model).versions(name)]
    except VssError:
        return []


def _check_name(name: str) -> None:
    if is_file_spec(name) or not is_valid_name(name):
        raise ConfigError(
            f"{name!r} is not the name of a model of the store; a file is served as it is and follows no activation",
            fix="add it first: vss models add FILE --name NAME",
        )


def _now(clock: Clock | None) -> str:
    return format_time((clock if clock is not None else SystemClock()).now_ns())
