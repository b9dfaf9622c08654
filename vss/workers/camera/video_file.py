"""A video file, on a disk or behind HTTP."""

from __future__ import annotations

from dataclasses import dataclass, field

from vss.errors import SourceUnreadable
from vss.masking import mask_text
from vss.workers.camera.container_stream import ContainerStream


@dataclass(frozen=True, slots=True)
class VideoFile:
    """See `vss.workers.camera.source.Source`.

    Attributes:
        address: A path or a URL.
        timeout_s: For a URL.
    """

    address: str = field(repr=False)
    timeout_s: float | None = None

    @property
    def name(self) -> str:
        """The address without secrets."""
        return mask_text(self.address)

    @property
    def live(self) -> bool:
        """A file waits for its reader."""
        return False

    def open(self) -> ContainerStream:
        """See `Source.open`."""
        return ContainerStream(self.address, self._unreadable, live=False, timeout_s=self.timeout_s)

    def _unreadable(self, why: str) -> SourceUnreadable:
        return SourceUnreadable(
            f"{self.name} cannot be read: {why}",
            fix="name a whole video file; `ffprobe FILE` shows what FFmpeg makes of it",
        )
