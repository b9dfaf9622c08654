"""What a camera is told: by flags for one, by `cameras.toml` for many."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any, Literal

from pydantic import BaseModel, ConfigDict, Field

from vss.workers.ingest.tables import FeedId, checked, load_tables


class CameraConfig(BaseModel):
    """One camera; the fields are the keys of a `[[camera]]` table and, with dashes, the flags."""

    # What was given may hold a password: pydantic must not repeat it in its messages.
    model_config = ConfigDict(extra="forbid", frozen=True, hide_input_in_errors=True)

    id: FeedId = Field(description="The key of its frames: letters, digits, `.`, `_` and `-`.")
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
    return checked(CameraConfig, values, role="camera", where=where)


def load_cameras(file: Path, defaults: Mapping[str, Any] | None = None) -> list[CameraConfig]:
    """Reads `[[camera]]` tables.

    Args:
        file: TOML.
        defaults: For every camera that does not say otherwise.

    Raises:
        ConfigError: The file is missing, no TOML, or holds something else than cameras with ids of their own.
    """
    return load_tables(
        file, CameraConfig, role="camera", example='id = "gate" and source = "rtsp://…"', defaults=defaults
    )
