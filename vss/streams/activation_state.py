"""Which version of a model serves, as it follows from activations and verdicts, and what comes next. Pure."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from vss.codecs.events import decode_event
from vss.errors import ConfigError, MalformedEvent
from vss.schemas.envelope import Record
from vss.schemas.models import MAX_HISTORY, ModelActivation, ModelVerdict, ServingLimits

# Verdicts of activations that are not, or not yet, the latest. Each is an automatic rollback: there are few.
_VERDICTS_KEPT = 1024


@dataclass(frozen=True, slots=True)
class ActivationState:
    """What holds for one model.

    Attributes:
        activation: The latest.
        verdict: What ended it; None while it stands.
    """

    activation: ModelActivation
    verdict: ModelVerdict | None = None

    @property
    def given_up(self) -> bool:
        """Whether the activated version broke its limits, so that `stable` serves all keys."""
        return self.verdict is not None

    @property
    def is_canary(self) -> bool:
        """Whether the activated version serves a part of the keys."""
        return self.activation.percent < 100 and not self.given_up

    @property
    def serving(self) -> str | None:
        """The version that serves the keys that no canary does; None when there is none to go back to."""
        activation = self.activation
        return activation.version if activation.percent == 100 and not self.given_up else activation.stable

    @property
    def lineage(self) -> tuple[str, ...]:
        """Versions that served all keys, the one that does so now first."""
        activation = self.activation
        behind = activation.history
        return (activation.version, *behind) if activation.percent == 100 and not self.given_up else behind


@dataclass(frozen=True, slots=True, kw_only=True)
class Order:
    """What an operator asks for.

    Attributes:
        id: Of the activation that is made of it.
        percent: Share of the keys, 1..100.
        timestamp: When, RFC 3339.
    """

    id: str
    name: str
    version: str
    percent: int = 100
    limits: ServingLimits | None = None
    reason: str = ""
    timestamp: str


class Activations:
    """The state of every model, from records in any order between the two topics. For one thread.

    Only the order of activations of one model counts, which is that of their partition.
    """

    def __init__(self) -> None:
        self._activations: dict[str, ModelActivation] = {}
        self._verdicts: dict[str, ModelVerdict] = {}

    def activate(self, activation: ModelActivation) -> ActivationState:
        """Takes an activation; it is the latest of its model."""
        self._activations[activation.name] = activation
        return self._state(activation)

    def give_up(self, verdict: ModelVerdict) -> ActivationState | None:
        """Takes a verdict; returns the state that it changes, None when it is of another activation or not the first.

        An activation that comes later than its verdict is ended by it all the same.
        """
        # By its id alone: that is what the records of the topic are kept by.
        activation = next((a for a in self._activations.values() if a.id == verdict.activation_id), None)
        before = self._state(activation) if activation is not None else None
        self._verdicts[verdict.activation_id] = verdict
        self._bound()
        if activation is None or before is None:
            return None
        after = self._state(activation)
        return after if after.given_up != before.given_up else None

    def forget(self, name: str) -> None:
        """Somebody deleted the model's activations: none counts any more."""
        self._activations.pop(name, None)

    def states(self) -> dict[str, ActivationState]:
        """By name of the model."""
        return {name: self._state(activation) for name, activation in self._activations.items()}

    def _state(self, activation: ModelActivation) -> ActivationState:
        return ActivationState(activation, self._verdicts.get(activation.id))

    def _bound(self) -> None:
        if len(self._verdicts) <= _VERDICTS_KEPT:
            return
        current = {activation.id for activation in self._activations.values()}
        oldest = next((id_ for id_ in self._verdicts if id_ not in current), None)
        if oldest is not None:
            del self._verdicts[oldest]


def activation_in(record: Record) -> ModelActivation:
    """The activation in a record.

    Raises:
        BadRecord: It holds none.
    """
    activation = decode_event(ModelActivation, record.value)
    if (record.key or b"") != activation.name.encode():
        # Compaction goes by the key: one of another model would take that model's activation away.
        raise MalformedEvent(f"name: {activation.name!r} is not the record's key")
    if not 1 <= activation.percent <= 100:
        raise MalformedEvent(f"percent: {activation.percent} is not 1 to 100")
    return activation


def verdict_in(record: Record) -> ModelVerdict:
    """The verdict in a record.

    Raises:
        BadRecord: It holds none.
    """
    verdict = decode_event(ModelVerdict, record.value)
    if (record.key or b"") != verdict.activation_id.encode():
        raise MalformedEvent(f"activation_id: {verdict.activation_id!r} is not the record's key")
    return verdict


def next_activation(state: ActivationState | None, order: Order) -> ModelActivation:
    """The activation that an order makes of the state of its model.

    A canary that is activated for all keys is promoted; one that another activation follows is given up, and the
    version that served the other keys stays the one to go back to.

    Raises:
        ConfigError: A canary or limits without a version to go back to, or a canary of the version that serves.
    """
    lineage = state.lineage if state is not None else ()
    stable = lineage[0] if lineage else None
    if order.percent < 100:
        if stable is None:
            raise ConfigError(
                f"no version of {order.name} is active, so none would serve the other keys",
                fix=f"activate one for all keys first: vss models activate {order.name} VERSION",
            )
        if order.version == stable:
            raise ConfigError(
                f"{order.name}@{order.version} serves all keys; it cannot be its own canary",
                fix="name another version, or leave --canary out",
            )
    history = _history(order.version, lineage)
    if order.limits is not None and not history:
        raise ConfigError(
            f"there is no version of {order.name} to go back to when {order.version} breaks its limits",
            fix=f"activate another version first, or leave the limits out: vss models activate {order.name} VERSION",
        )
    return ModelActivation(
        id=order.id,
        name=order.name,
        version=order.version,
        percent=order.percent,
        stable=history[0] if history else None,
        history=history,
        limits=order.limits,
        reason=order.reason,
        timestamp=order.timestamp,
    )


def rollback_activation(
    state: ActivationState | None,
    *,
    activation_id: str,
    name: str,
    reason: str,
    timestamp: str,
) -> ModelActivation:
    """The activation of the version that served before.

    A canary's end is the version beside it. A version that broke its limits is followed by the one that serves since:
    whoever rolls back at the same moment as the fleet itself does not go back two. Where the version cannot be loaded
    any more, the one that was left serves on.

    Raises:
        ConfigError: There is none.
    """
    if state is None:
        raise ConfigError(f"no version of {name} was activated", fix=f"vss models activate {name} VERSION")
    activation = state.activation
    if not activation.history:
        raise ConfigError(
            f"{name}@{activation.version} is the first version that was activated; there is none to go back to",
            fix=f"activate the one you want: vss models activate {name} VERSION",
        )
    version, *rest = activation.history
    history = _history(version, rest)
    otherwise = state.serving if state.serving != version else next(iter(history), None)
    return ModelActivation(
        id=activation_id,
        name=name,
        version=version,
        percent=100,
        stable=otherwise,
        history=history,
        limits=None,
        reason=reason,
        timestamp=timestamp,
    )


def _history(version: str, lineage: Iterable[str]) -> tuple[str, ...]:
    """What a rollback from a version goes back through: never to itself, and to none twice."""
    return tuple(v for v in dict.fromkeys(lineage) if v != version)[:MAX_HISTORY]
