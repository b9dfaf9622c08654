"""An IP camera that speaks RTSP."""

from __future__ import annotations

from dataclasses import dataclass, field

from vss.errors import SourceUnavailable
from vss.masking import mask_text
from vss.workers.camera.container_stream import ContainerStream


@dataclass(frozen=True, slots=True)
class RtspCamera:
    """See `vss.workers.camera.source.Source`.

    Attributes:
        url: `rtsp://` or `rtsps://`; may hold a password.
        timeout_s: Silence after which the camera has dropped.
    """

    url: str = field(repr=False)
    timeout_s: float

    @property
    def name(self) -> str:
        """The URL without secrets."""
        return mask_text(self.url)

    @property
    def live(self) -> bool:
        """A camera does not wait."""
        return True

    @property
    def ffmpeg_options(self) -> dict[str, str]:
        """TCP, for over UDP a busy network tears pictures apart; the timeout of its socket in microseconds."""
        return {"rtsp_transport": "tcp", "timeout": str(int(self.timeout_s * 1e6))}

    def open(self) -> ContainerStream:
        """See `Source.open`."""
        return ContainerStream(
            self.url, self._unavailable, live=True, options=self.ffmpeg_options, timeout_s=self.timeout_s
        )

    def _unavailable(self, why: str) -> SourceUnavailable:
        return SourceUnavailable(f"{self.name}: {why}", fix="check the camera's address, user and password")
