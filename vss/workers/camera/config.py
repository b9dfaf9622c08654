"""What a camera is told: by flags for one, by `cameras.toml` for many."""

from __future__ import annotations

import difflib
import tomllib
from collections import Counter
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from vss.errors import ConfigError

CameraId = Annotated[str, Field(pattern=r"^[A-Za-z0-9][A-Za-z0-9._-]{0,99}$")]


class CameraConfig(BaseModel):
    """One camera; the fields are the keys of a `[[camera]]` table and, with dashes, the flags."""

    # What was given may hold a password: pydantic must not repeat it in its messages.
    model_config = ConfigDict(extra="forbid", frozen=True, hide_input_in_errors=True)

    id: CameraId = Field(description="The key of its frames: letters, digits, `.`, `_` and `-`.")
    source: str = Field(min_length=1, repr=False, description="Where its pictures come from.")
    fps: float | None = Field(
        None, gt=0, le=1000, description="Publish at most so many frames a second; for a folder, its pace."
    )
    width: int | None = Field(None, ge=16, le=65535, description="Scale wider frames down to this, aspect kept.")
    quality: int | None = Field(
        None, ge=1, le=100, description="JPEG quality; 85, and JPEGs of the source are passed on as they are."
    )
    codec: Literal["jpeg", "png", "raw"] = Field("jpeg", description="How frames are encoded.")
    loop: bool = Field(False, description="Begin a file or folder again at its end, for ever.")
    as_fast_as_possible: bool = Field(False, description="Do not keep a file's own pace.")
    buffer: int = Field(16, ge=1, le=1024, description="Frames that may wait between capture and Kafka.")
    timeout_s: float = Field(10.0, gt=0, le=3600, description="Silence after which a live source has dropped, seconds.")


def camera_config(values: Mapping[str, Any], *, where: str = "") -> CameraConfig:
    """Checks one camera.

    Args:
        values: By field name.
        where: What errors call it.

    Raises:
        ConfigError: A value does not fit or a key is unknown; names it, and the nearest known key.
    """
    try:
        return CameraConfig(**values)
    except ValidationError as error:
        first = error.errors(include_input=False, include_url=False, include_context=False)[0]
        name = ".".join(str(part) for part in first["loc"])
        prefix = f"{where}: " if where else ""
        if first["type"] == "extra_forbidden":
            raise _unknown(prefix, name, CameraConfig.model_fields) from None
        if name == "id" and first["type"] == "string_pattern_mismatch":
            raise ConfigError(
                f"{prefix}camera id {values.get('id')!r} cannot be a key",
                fix="use letters, digits, '.', '_' and '-', at most 100, beginning with a letter or digit",
            ) from None
        if first["type"] == "missing":
            raise ConfigError(f"{prefix}{name} is missing", fix=f"give the camera a {name}") from None
        raise ConfigError(f"{prefix}{name}: {first['msg']}", fix=f"give {name} a fitting value") from None


def load_cameras(file: Path, defaults: Mapping[str, Any] | None = None) -> list[CameraConfig]:
    """Reads `[[camera]]` tables.

    Args:
        file: TOML.
        defaults: For every camera that does not say otherwise.

    Raises:
        ConfigError: The file is missing, no TOML, or holds something else than cameras with ids of their own.
    """
    try:
        document = tomllib.loads(file.read_text())
    except (OSError, UnicodeDecodeError) as error:
        why = getattr(error, "strerror", None) or "it is no UTF-8 text"
        raise ConfigError(f"{file} cannot be read: {why}", fix="name a file that holds [[camera]] tables") from error
    except tomllib.TOMLDecodeError as error:
        raise ConfigError(f"{file} is no TOML: {error}", fix="correct the line it names") from None
    for name in document:
        if name != "camera":
            raise _unknown(f"{file}: ", name, ["camera"])
    tables = document.get("camera")
    if not isinstance(tables, list) or not tables or not all(isinstance(table, dict) for table in tables):
        raise ConfigError(f"{file} holds no camera", fix='add [[camera]] with id = "gate" and source = "rtsp://…"')
    cameras = [
        camera_config({**(defaults or {}), **table}, where=f"{file}, camera {table.get('id', number)}")
        for number, table in enumerate(tables, 1)
    ]
    for camera_id, times in Counter(camera.id for camera in cameras).items():
        if times > 1:
            raise ConfigError(f"{file}: {times} cameras are called {camera_id}", fix="give each an id of its own")
    return cameras


def _unknown(prefix: str, name: str, known: Iterable[str]) -> ConfigError:
    near = difflib.get_close_matches(name, list(known), n=1, cutoff=0.0)[0]
    return ConfigError(f"{prefix}unknown key {name}", fix=f"did you mean {near}?")
