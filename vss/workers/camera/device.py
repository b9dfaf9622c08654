"""A camera on this machine, through Video4Linux."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from vss.errors import SourceUnavailable
from vss.workers.camera.container_stream import ContainerStream

DEVICE_OPTIONS = ("input_format", "video_size", "framerate")
"""What may follow the path as parameters: FFmpeg's names."""


@dataclass(frozen=True, slots=True)
class Device:
    """See `vss.workers.camera.source.Source`.

    Attributes:
        path: `/dev/videoN`.
        timeout_s: Silence after which the device has dropped.
        options: Of `DEVICE_OPTIONS`; the driver's own where absent.
    """

    path: str
    timeout_s: float
    options: Mapping[str, str] = field(default_factory=dict)

    @property
    def name(self) -> str:
        """The path."""
        return self.path

    @property
    def live(self) -> bool:
        """A camera does not wait."""
        return True

    def open(self) -> ContainerStream:
        """See `Source.open`."""
        return ContainerStream(
            self.path,
            self._unavailable,
            live=True,
            format="v4l2",
            options=dict(self.options),
            timeout_s=self.timeout_s,
        )

    def _unavailable(self, why: str) -> SourceUnavailable:
        return SourceUnavailable(
            f"{self.path}: {why}",
            fix="plug the camera in (`ls /dev/video*` lists those there are); reading one may need the group video",
        )
