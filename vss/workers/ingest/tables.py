"""What a feed is told, checked: by flags for one, by a TOML file of tables for many."""

from __future__ import annotations

import difflib
import tomllib
from collections import Counter
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Annotated, Any, TypeVar

from pydantic import BaseModel, Field, ValidationError

from vss.errors import ConfigError

FeedId = Annotated[str, Field(pattern=r"^[A-Za-z0-9][A-Za-z0-9._-]{0,99}$")]


M = TypeVar("M", bound=BaseModel)


def checked(schema: type[M], values: Mapping[str, Any], *, role: str, where: str = "") -> M:
    """Checks what one feed is told.

    Args:
        schema: What may be said, with a field `id`.
        values: By field name.
        role: `camera` or `sensor`.
        where: What errors call it.

    Raises:
        ConfigError: A value does not fit or a key is unknown; names it, and the nearest known key.
    """
    try:
        return schema(**values)
    except ValidationError as error:
        first = error.errors(include_input=False, include_url=False, include_context=False)[0]
        name = ".".join(str(part) for part in first["loc"])
        prefix = f"{where}: " if where else ""
        if first["type"] == "extra_forbidden":
            raise _unknown(prefix, name, schema.model_fields) from None
        if name == "id" and first["type"] == "string_pattern_mismatch":
            raise ConfigError(
                f"{prefix}{role} id {values.get('id')!r} cannot be a key",
                fix="use letters, digits, '.', '_' and '-', at most 100, beginning with a letter or digit",
            ) from None
        if first["type"] == "missing":
            raise ConfigError(f"{prefix}{name} is missing", fix=f"give the {role} a {name}") from None
        what = first["msg"].removeprefix("Value error, ")
        # What concerns several values has no place of its own.
        raise ConfigError(
            f"{prefix}{name}: {what}" if name else f"{prefix}{what}",
            fix=f"give {name or f'the {role}'} a fitting value",
        ) from None


def load_tables(
    file: Path, schema: type[M], *, role: str, example: str, defaults: Mapping[str, Any] | None = None
) -> list[M]:
    """Reads the tables of a TOML file, each of which is a feed: `[[camera]]`, `[[sensor]]`.

    Args:
        file: TOML.
        schema: What may be said of one, with a field `id`.
        role: `camera` or `sensor`, the tables' name.
        example: A source, for the message that shows how one is written.
        defaults: For every feed that does not say otherwise.

    Raises:
        ConfigError: The file is missing, no TOML, or holds something else than such tables with ids of their own.
    """
    try:
        document = tomllib.loads(file.read_text())
    except (OSError, UnicodeDecodeError) as error:
        why = getattr(error, "strerror", None) or "it is no UTF-8 text"
        raise ConfigError(f"{file} cannot be read: {why}", fix=f"name a file that holds [[{role}]] tables") from error
    except tomllib.TOMLDecodeError as error:
        raise ConfigError(f"{file} is no TOML: {error}", fix="correct the line it names") from None
    for name in document:
        if name != role:
            raise _unknown(f"{file}: ", name, [role])
    tables = document.get(role)
    if not isinstance(tables, list) or not tables or not all(isinstance(table, dict) for table in tables):
        raise ConfigError(f"{file} holds no {role}", fix=f"add [[{role}]] with {example}")
    feeds = [
        checked(schema, {**(defaults or {}), **table}, role=role, where=f"{file}, {role} {table.get('id', number)}")
        for number, table in enumerate(tables, 1)
    ]
    for feed_id, times in Counter(str(table["id"]) for table in tables).items():
        if times > 1:
            raise ConfigError(f"{file}: {times} {role}s are called {feed_id}", fix="give each an id of its own")
    return feeds


def _unknown(prefix: str, name: str, known: Iterable[str]) -> ConfigError:
    near = difflib.get_close_matches(name, list(known), n=1, cutoff=0.0)[0]
    return ConfigError(f"{prefix}unknown key {name}", fix=f"did you mean {near}?")
