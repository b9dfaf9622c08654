"""What a user says about a model in flags, as keys of its manifest."""

from __future__ import annotations

import difflib
from collections.abc import Sequence
from pathlib import Path
from typing import Any, Final

import yaml

from vss.errors import ConfigError
from vss.model_store.labels import parse_labels
from vss.model_store.manifest import InputSpec, Manifest, with_changes
from vss.model_store.resolve import manifest_beside

_PICTURES: Final = {".jpg": ".jpg", ".jpeg": ".jpg", ".png": ".png"}


def manifest_of(
    file: Path,
    *,
    task: str | None = None,
    labels: str | None = None,
    head: str | None = None,
    architecture: str | None = None,
    inputs: Sequence[str] = (),
    smoke: Path | None = None,
    smoke_expect: str | None = None,
) -> Manifest:
    """The manifest beside a model file, with what flags say.

    Args:
        file: The model file.
        task: See `Manifest`.
        labels: A file with one class name a line, or names separated by commas.
        head: See `Manifest`.
        architecture: See `Manifest`.
        inputs: `KEY=VALUE` for keys of `input`; a list has commas.
        smoke: The smoke picture.
        smoke_expect: Classes that must be found in it, separated by commas.

    Raises:
        ConfigError: A value does not fit; names the flag or the key.
    """
    given: dict[str, Any] = {"image": _picture_name(smoke) if smoke is not None else None}
    given["expect"] = _names(smoke_expect) if smoke_expect is not None else None
    return with_changes(
        manifest_beside(file),
        {
            "task": task,
            "architecture": architecture,
            "head": head,
            "labels": parse_labels(labels) if labels is not None else None,
            "input": dict(_assignment(text) for text in inputs),
            "smoke": {key: value for key, value in given.items() if value is not None},
        },
    )


def _assignment(text: str) -> tuple[str, Any]:
    key, equals, value = text.partition("=")
    key = key.strip().removeprefix("input.")
    if not equals or not value.strip():
        raise ConfigError(f"--input {text}: no KEY=VALUE", fix="for example --input width=224")
    if key not in InputSpec.model_fields:
        near = difflib.get_close_matches(key, InputSpec.model_fields, n=1, cutoff=0.0)[0]
        raise ConfigError(f"--input {text}: unknown key {key}", fix=f"did you mean {near}?")
    try:
        values = [yaml.safe_load(part) for part in value.split(",")]
    except (yaml.YAMLError, ValueError) as error:
        raise ConfigError(f"--input {text}: not a value", fix=f"give {key} a fitting value") from error
    return key, values if len(values) > 1 else values[0]


def _picture_name(picture: Path) -> str:
    suffix = _PICTURES.get(picture.suffix.lower())
    if suffix is None:
        raise ConfigError(f"--smoke {picture} is no JPEG or PNG", fix="give a .jpg or .png")
    return f"smoke{suffix}"


def _names(text: str) -> tuple[str, ...]:
    names = tuple(name.strip() for name in text.split(","))
    if not all(names):
        raise ConfigError(f"--smoke-expect {text}: an empty name", fix="separate class names by single commas")
    return names
