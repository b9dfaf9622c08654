"""Which version of a model answers which key, as a value: another version takes over by putting another value there."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import NamedTuple

from vss.codecs.canary import on_canary
from vss.model_store.serving.judge import Judge
from vss.schemas.models import ModelActivation


class ModelVersion(NamedTuple):
    """One version of one model, as loaded."""

    name: str
    version: str

    def __str__(self) -> str:
        return f"{self.name}@{self.version}"


@dataclass(frozen=True, slots=True, eq=False)
class Plan:
    """Who answers the records that ask for one model.

    Attributes:
        name: Of the model.
        task: What it does.
        stable: The version that serves.
        candidate: Another that serves `percent` of the keys; None for none.
        percent: 1..100, of the candidate.
        activation: What asked for it; None where nothing did.
        judge: Holds the candidate against its limits; None judges nothing.
    """

    name: str
    task: str
    stable: str
    candidate: str | None = None
    percent: int = 0
    activation: ModelActivation | None = None
    judge: Judge | None = None

    def version_for(self, key: bytes) -> ModelVersion:
        """The version that answers a record of that key."""
        if self.candidate is not None and (self.percent >= 100 or on_canary(self.name, key, self.percent)):
            return ModelVersion(self.name, self.candidate)
        return ModelVersion(self.name, self.stable)

    def versions(self) -> list[ModelVersion]:
        """All that must be loaded before it holds, the stable one first."""
        names = [self.stable] if self.candidate is None else [self.stable, self.candidate]
        return [ModelVersion(self.name, version) for version in names]

    def shares(self) -> dict[str, float]:
        """Version to the share of keys that it serves, 0..1."""
        if self.candidate is None:
            return {self.stable: 1.0}
        return {self.stable: 1 - self.percent / 100, self.candidate: self.percent / 100}

    @property
    def base(self) -> str:
        """The version that serves all keys but a canary's."""
        return self.candidate if self.candidate is not None and self.percent >= 100 else self.stable

    def without_candidate(self) -> Plan:
        """The stable version alone."""
        return replace(self, candidate=None, percent=0, judge=None)

    def settled(self) -> Plan:
        """The candidate alone; what it was held against is over."""
        return replace(self, stable=self.candidate or self.stable, candidate=None, percent=0, judge=None)

    def same_as(self, other: Plan) -> bool:
        """Whether it sends every key to the same version, and judges for the same activation or not at all."""
        return (self.stable, self.candidate, self.percent, self.judge is None) == (
            other.stable,
            other.candidate,
            other.percent,
            other.judge is None,
        ) and (self.judge is None or self.activation == other.activation)


def plan_of(activation: ModelActivation, task: str, *, serving: str | None, given_up: bool) -> Plan:
    """What an activation asks for.

    Args:
        activation: An operator's word.
        task: What the model does.
        serving: The version that serves all keys now; None for none.
        given_up: A verdict has ended it: its stable version serves all keys.
    """
    stable = activation.stable or serving
    if stable is None or stable == activation.version:
        return Plan(activation.name, task, activation.version, activation=activation)
    if given_up:
        return Plan(activation.name, task, stable, activation=activation)
    whole = activation.percent >= 100
    judge = Judge(activation.limits, settles=whole) if activation.limits is not None else None
    if whole and judge is None:
        return Plan(activation.name, task, activation.version, activation=activation)
    return Plan(activation.name, task, stable, activation.version, activation.percent, activation, judge)
