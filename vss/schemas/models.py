"""What travels about models: which version serves, what workers decided about it, and what happened."""

from __future__ import annotations

from dataclasses import dataclass

ACTIVATION_TYPE = "vss.model.activation.v1"
VERDICT_TYPE = "vss.model.verdict.v1"
MODEL_EVENT_TYPE = "vss.model.event.v1"

MAX_HISTORY = 10


@dataclass(frozen=True, slots=True, kw_only=True)
class ServingLimits:
    """What a version must keep to be left serving; None sets no limit.

    Attributes:
        max_error_rate: Share of its calls that may fail, 0..1.
        max_p95_ms: 95th percentile of its calls' time, milliseconds.
        min_requests: Records it must have answered before it is judged.
    """

    max_error_rate: float | None = None
    max_p95_ms: float | None = None
    min_requests: int = 100


@dataclass(frozen=True, slots=True, kw_only=True)
class ModelActivation:
    """Which version of a model serves: an operator's word. The latest of a model counts.

    Attributes:
        id: Unique; a verdict names the activation it is about.
        name: Of the model.
        version: That serves `percent` of the keys.
        percent: 1..100; below 100 the version is a canary, and `stable` serves the other keys.
        stable: That served before, and serves again when `version` cannot be loaded or breaks its limits; null for the
            first activation of a model.
        history: Versions that served before, the last first, at most 10; what a rollback goes back through.
        limits: What `version` must keep; null judges nothing.
        reason: Why, in the operator's words.
        timestamp: When, RFC 3339.
    """

    id: str
    name: str
    version: str
    percent: int
    stable: str | None
    history: tuple[str, ...]
    limits: ServingLimits | None
    reason: str
    timestamp: str


@dataclass(frozen=True, slots=True, kw_only=True)
class ModelVerdict:
    """A worker found that an activated version breaks its limits: `stable` serves again everywhere.

    It has a topic of its own, so that a worker's verdict and an operator's next activation never overwrite each other.

    Attributes:
        id: Equals the header `ce_id`.
        activation_id: The activation it ends.
        name: Of the model.
        version: The version that is given up.
        reason: Which limit it broke, and by how much.
        worker: Who found it: host and process id.
        timestamp: When, RFC 3339.
    """

    id: str
    activation_id: str
    name: str
    version: str
    reason: str
    worker: str
    timestamp: str


@dataclass(frozen=True, slots=True, kw_only=True)
class ModelEvent:
    """Something that happened to a model on one worker.

    Attributes:
        id: Equals the header `ce_id`.
        kind: `swapped` (the version serves), `refused` (it cannot; the one before goes on serving) or `rolled_back`.
        name: Of the model.
        version: It is about.
        serving: The version that serves after it.
        activation_id: What asked for it; null for none.
        reason: Why, in a sentence.
        worker: Where: host and process id.
        group: Consumer group of the worker.
        timestamp: When, RFC 3339.
    """

    id: str
    kind: str
    name: str
    version: str
    serving: str | None
    activation_id: str | None
    reason: str
    worker: str
    group: str
    timestamp: str
