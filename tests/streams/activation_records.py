"""Activations and verdicts as operators and workers write them."""

from __future__ import annotations

from vss.codecs.events import encode_event
from vss.config import KafkaSettings
from vss.schemas.envelope import Message
from vss.schemas.models import ModelActivation, ModelVerdict, ServingLimits
from vss.schemas.topics import MODEL_VERDICTS, MODELS

TIME = "2026-03-01T12:00:00.500000Z"


def activation(
    id: str = "a1",  # noqa: A002 - the field's name
    *,
    name: str = "gate",
    version: str = "2",
    percent: int = 100,
    history: tuple[str, ...] = ("1",),
    limits: ServingLimits | None = None,
) -> ModelActivation:
    return ModelActivation(
        id=id,
        name=name,
        version=version,
        percent=percent,
        stable=history[0] if history else None,
        history=history,
        limits=limits,
        reason="",
        timestamp=TIME,
    )


def verdict(activation_id: str = "a1", *, name: str = "gate", version: str = "2") -> ModelVerdict:
    return ModelVerdict(
        id=f"verdict-{activation_id}",
        activation_id=activation_id,
        name=name,
        version=version,
        reason="too slow",
        worker="host:1",
        timestamp=TIME,
    )


def message(kafka: KafkaSettings, what: ModelActivation | ModelVerdict) -> Message:
    if isinstance(what, ModelActivation):
        return Message(MODELS.name(kafka.topic_prefix), what.name.encode(), encode_event(what))
    return Message(MODEL_VERDICTS.name(kafka.topic_prefix), what.activation_id.encode(), encode_event(what))
