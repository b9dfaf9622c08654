"""An IP camera that speaks RTSP."""

from __future__ import annotations

from dataclasses import dataclass

from vss.workers.camera.container_stream import ContainerStream
from vss.workers.camera.network_source import NetworkSource


@dataclass(frozen=True, slots=True)
class RtspCamera(NetworkSource):
    """See `vss.workers.camera.source.Source`; `url` is `rtsp://` or `rtsps://`."""

    @property
    def ffmpeg_options(self) -> dict[str, str]:
        """TCP, for over UDP a busy network tears pictures apart; the timeout of its socket in microseconds."""
        return {"rtsp_transport": "tcp", "timeout": str(int(self.timeout_s * 1e6))}

    def open(self) -> ContainerStream:
        """See `Source.open`."""
        return self.stream(self.ffmpeg_options)
