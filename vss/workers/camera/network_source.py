"""What cameras on the network share: an address that may hold a password, and silence that means they have dropped."""

from __future__ import annotations

from dataclasses import dataclass, field

from vss.errors import SourceUnavailable
from vss.masking import mask_text
from vss.workers.camera.container_stream import ContainerStream


@dataclass(frozen=True, slots=True)
class NetworkSource:
    """The common half of a `vss.workers.camera.source.Source` that lies behind an address.

    Attributes:
        url: Where the camera is; may hold a password.
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

    def stream(self, ffmpeg_options: dict[str, str]) -> ContainerStream:
        """Connects.

        Raises:
            SourceUnavailable: The camera does not answer, or sends nothing that can be read.
        """
        return ContainerStream(self.url, self._unavailable, live=True, options=ffmpeg_options, timeout_s=self.timeout_s)

    def _unavailable(self, why: str) -> SourceUnavailable:
        return SourceUnavailable(f"{self.name}: {why}", fix="check the camera's address, user and password")
