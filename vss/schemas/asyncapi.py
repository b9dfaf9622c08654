"""One AsyncAPI 3 document of every topic, made from the catalogue, the dataclasses and the header tables."""

from __future__ import annotations

from typing import Any

from vss import __version__
from vss.schemas.documents import schema_and_definitions
from vss.schemas.headers import (
    DEAD_LETTER_HEADERS,
    FRAME_HEADERS,
    READING_HEADERS,
    Header,
    event_headers_of,
    headers_schema,
)
from vss.schemas.topics import CATALOGUE, Role, Topic

_SCHEMAS = "#/components/schemas/"
_MESSAGES = "#/components/messages/"
_WHO: dict[Role, tuple[tuple[str, str], ...]] = {
    Role.INPUT: (
        ("send", "Cameras, sensors, or any Kafka client, publish."),
        ("receive", "Workers consume."),
    ),
    Role.RESULT: (("send", "Workers publish, exactly once."), ("receive", "The Redis view and you consume.")),
    Role.NOTE: (("send", "Workers publish."),),
    Role.CONTROL: (("send", "`vss models` and workers publish."), ("receive", "Every worker follows it.")),
    Role.DEAD_LETTER: (("send", "Workers publish, exactly once."),),
}


def asyncapi_document(prefix: str = "vss.") -> dict[str, Any]:
    """The document.

    Args:
        prefix: What every topic's name starts with.
    """
    channels: dict[str, Any] = {}
    operations: dict[str, Any] = {}
    messages: dict[str, Any] = {}
    schemas: dict[str, Any] = {}
    for topic in CATALOGUE:
        made = _messages(topic, schemas)
        messages |= made
        channels[topic.short] = {
            "address": topic.name(prefix),
            "title": topic.name(prefix),
            "description": topic.summary,
            "messages": {name: {"$ref": _MESSAGES + name} for name in made},
            "bindings": {"kafka": _channel_binding(topic, prefix)},
        }
        for action, summary in _WHO[topic.role]:
            operations[f"{action}_{topic.short}"] = {
                "action": action,
                "channel": {"$ref": f"#/channels/{topic.short}"},
                "summary": summary,
                "messages": [{"$ref": f"#/channels/{topic.short}/messages/{name}"} for name in made],
            }
    return {
        "asyncapi": "3.0.0",
        "info": {
            "title": "vss-fleet",
            "version": __version__,
            "description": "Frames and readings in, exactly one outcome each out. Every outcome names the topic, "
            "partition and offset of its record, and an event about a sensor the window of readings it was made of; "
            "readers that want each outcome once read with isolation.level=read_committed.",
            "license": {"name": "Apache-2.0"},
        },
        "defaultContentType": "application/json",
        "channels": channels,
        "operations": operations,
        "components": {"messages": messages, "schemas": schemas},
    }


def _messages(topic: Topic, schemas: dict[str, Any]) -> dict[str, Any]:
    """The messages of a topic: one where it holds JSON, one a content type where it does not."""
    payload = _payload(topic, schemas)
    schemas[f"{topic.short}.headers"] = headers_schema(_headers(topic))
    names = [topic.short] if len(topic.content_types) == 1 else [_name(topic, kind) for kind in topic.content_types]
    return {
        name: {
            "name": name,
            "title": topic.payload.__name__ if topic.payload is not None else name,
            "summary": topic.summary,
            "contentType": content_type,
            "headers": {"$ref": f"{_SCHEMAS}{topic.short}.headers"},
            "payload": payload,
            "bindings": {"kafka": {"key": {"type": "string", "description": topic.key}}},
        }
        for name, content_type in zip(names, topic.content_types, strict=True)
    }


def _payload(topic: Topic, schemas: dict[str, Any]) -> dict[str, Any]:
    if topic.payload is None:
        what = "The record's value as it came." if topic.role is Role.DEAD_LETTER else "The encoded image."
        return {"type": "string", "format": "binary", "description": what}
    root, definitions = schema_and_definitions(topic.payload, definitions_at=_SCHEMAS)
    schemas |= definitions
    schemas[topic.payload.__name__] = root
    return {"$ref": _SCHEMAS + topic.payload.__name__}


def _headers(topic: Topic) -> tuple[Header, ...]:
    if topic.role is Role.INPUT:
        return READING_HEADERS if topic.payload is not None else FRAME_HEADERS
    if topic.payload is not None:
        return event_headers_of(topic.ce_type or "")
    return DEAD_LETTER_HEADERS


def _name(topic: Topic, content_type: str) -> str:
    return f"{topic.short}.{content_type.rpartition('/')[2]}"


def _channel_binding(topic: Topic, prefix: str) -> dict[str, Any]:
    return {
        "topic": topic.name(prefix),
        "partitions": topic.partitions,
        "topicConfiguration": {
            "cleanup.policy": topic.cleanup_policy.split(","),
            "retention.ms": topic.retention_ms,
            "max.message.bytes": topic.max_message_bytes,
        },
        "bindingVersion": "0.5.0",
    }
