"""JSON Schema of everything that travels as JSON, made from the dataclasses and their docstrings."""

from __future__ import annotations

import inspect
import re
from typing import Any

from pydantic import TypeAdapter

from vss.schemas.topics import CATALOGUE

DIALECT = "https://json-schema.org/draft/2020-12/schema"
_DEFINITIONS = "#/$defs/"
_ATTRIBUTES = "\n\nAttributes:\n"
# A line of a docstring's "Attributes:" section and what follows it with a deeper indent.
_ATTRIBUTE = re.compile(r"^    (\w+): (.*(?:\n     +.*)*)", re.MULTILINE)
# By name, for the schema cannot tell a time from another text.
_FORMATS = {"captured_at": "date-time", "timestamp": "date-time"}


def payload_schemas() -> dict[str, dict[str, Any]]:
    """JSON Schema of each JSON payload of the catalogue, by the topic's short name."""
    return {topic.short: json_schema(topic.payload) for topic in CATALOGUE if topic.payload is not None}


def json_schema(schema: type) -> dict[str, Any]:
    """JSON Schema of a dataclass, self-contained.

    Further properties are allowed: a reader of this version must be able to read the next one's events.
    """
    root, definitions = schema_and_definitions(schema, definitions_at=_DEFINITIONS)
    return {"$schema": DIALECT, **root, **({"$defs": definitions} if definitions else {})}


def schema_and_definitions(schema: type, *, definitions_at: str) -> tuple[dict[str, Any], dict[str, Any]]:
    """The schema of a dataclass, and those of the dataclasses in it by name.

    Args:
        schema: The dataclass.
        definitions_at: What a reference to one of them starts with.
    """
    made = TypeAdapter(schema).json_schema(mode="serialization", ref_template=definitions_at + "{model}")
    definitions: dict[str, Any] = made.pop("$defs", {})
    inherited = {
        name: text for base in schema.__mro__[:0:-1] for name, text in _words(inspect.getdoc(base) or "").items()
    }
    return _tidied(made, inherited), {name: _tidied(definition, {}) for name, definition in definitions.items()}


def _words(docstring: str) -> dict[str, str]:
    """What a docstring says of each attribute."""
    _, _, attributes = docstring.partition(_ATTRIBUTES)
    # `class_` is how Python has to spell `class`.
    return {
        name.rstrip("_"): re.sub(r"\bNone\b", "null", " ".join(text.split()))
        for name, text in _ATTRIBUTE.findall(attributes)
    }


def _tidied(definition: dict[str, Any], inherited: dict[str, str]) -> dict[str, Any]:
    """One object's schema with the words of its docstring, and inherited ones, at the properties they are about."""
    description = str(definition.get("description", ""))
    summary, _, _ = description.partition(_ATTRIBUTES)
    words = inherited | _words(description)
    properties = {}
    for name, made in definition.get("properties", {}).items():
        found = _plain_array({key: value for key, value in made.items() if key != "title"})
        if name in words:
            found["description"] = words[name]
        if name in _FORMATS:
            found["format"] = _FORMATS[name]
        properties[name] = found
    return definition | {"description": " ".join(summary.split()), "properties": properties}


def _plain_array(made: dict[str, Any]) -> dict[str, Any]:
    """A tuple of one type as an array of fixed length, which every draft of JSON Schema can say."""
    items = made.get("prefixItems")
    if items is None or any(item != items[0] for item in items):
        return made
    return {key: value for key, value in made.items() if key != "prefixItems"} | {"items": items[0]}
