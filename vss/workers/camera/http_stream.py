"""A camera that sends MJPEG (or any endless video FFmpeg knows) over HTTP."""

from __future__ import annotations

from dataclasses import dataclass

from vss.workers.camera.container_stream import ContainerStream
from vss.workers.camera.network_source import NetworkSource
from vss.workers.camera.source import Shot


@dataclass(frozen=True, slots=True)
class HttpStream(NetworkSource):
    """See `vss.workers.camera.source.Source`; `url` is `http://` or `https://`."""

    def open(self) -> _WithoutTime:
        """See `Source.open`."""
        return _WithoutTime(self.stream({"user_agent": "vss"}))


class _WithoutTime:
    """MJPEG over HTTP carries no time; FFmpeg makes one up, as if there were 25 pictures a second."""

    def __init__(self, stream: ContainerStream) -> None:
        self._stream = stream

    def read(self) -> Shot | None:
        shot = self._stream.read()
        return Shot(shot.picture, None) if shot is not None else None

    def close(self) -> None:
        self._stream.close()
