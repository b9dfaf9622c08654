"""A camera that sends MJPEG (or any endless video FFmpeg knows) over HTTP."""

from __future__ import annotations

from dataclasses import dataclass, field

from vss.errors import SourceUnavailable
from vss.masking import mask_text
from vss.workers.camera.container_stream import ContainerStream
from vss.workers.camera.source import Shot


@dataclass(frozen=True, slots=True)
class HttpStream:
    """See `vss.workers.camera.source.Source`.

    Attributes:
        url: `http://` or `https://`; may hold a password.
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

    def open(self) -> _WithoutTime:
        """See `Source.open`."""
        return _WithoutTime(
            ContainerStream(
                self.url, self._unavailable, live=True, options={"user_agent": "vss"}, timeout_s=self.timeout_s
            )
        )

    def _unavailable(self, why: str) -> SourceUnavailable:
        return SourceUnavailable(f"{self.name}: {why}", fix="check the camera's address, user and password")


class _WithoutTime:
    """MJPEG over HTTP carries no time; FFmpeg makes one up, as if there were 25 pictures a second."""

    def __init__(self, stream: ContainerStream) -> None:
        self._stream = stream

    def read(self) -> Shot | None:
        shot = self._stream.read()
        return Shot(shot.picture, None) if shot is not None else None

    def close(self) -> None:
        self._stream.close()
