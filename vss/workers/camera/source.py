"""What a source of pictures gives; the port itself is `vss.workers.ingest.source`."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TypeAlias

from vss.workers.camera.picture import Picture
from vss.workers.ingest import source


@dataclass(frozen=True, slots=True)
class Shot:
    """One picture as the source gave it.

    Attributes:
        picture: Not decoded to pixels yet where that can wait; None when the source's bytes were no whole picture.
        pts_ns: Presentation time in the source, nanoseconds; None where the source carries no time.
    """

    picture: Picture | None
    pts_ns: int | None


Stream: TypeAlias = source.Stream[Shot]
Source: TypeAlias = source.Source[Shot]
