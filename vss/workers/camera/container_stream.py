"""Pictures of anything FFmpeg opens, through PyAV."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable
from fractions import Fraction
from typing import Any

import av
from av.container import InputContainer
from av.error import FFmpegError, InvalidDataError

from vss.errors import SourceError
from vss.workers.camera.picture import DecodedPicture, EncodedPicture
from vss.workers.camera.source import Shot

# FFmpeg would hold the first 20 pictures back to guess a frame rate that nobody needs: 2.2 s at 12.5 a second.
_LIVE_OPTIONS = {"fpsprobesize": "0"}

Explain = Callable[[str], SourceError]
"""Makes the error of a source from what went wrong."""


class ContainerStream:
    """See `vss.workers.camera.source.Stream`.

    Pictures of an MJPEG stream stay JPEG: its packets are whole files.

    Args:
        address: Whatever FFmpeg opens.
        explain: Makes the error to raise. It is told FFmpeg's reason without the address, which may hold a password,
            and nothing is chained to what it makes, for the same reason.
        live: Decode for low delay, and leave the time of a picture open where the source has none.
        format: FFmpeg's name of the input format; by default it finds out.
        options: FFmpeg's options of the input.
        timeout_s: How long to open and how long to wait for a packet.
    """

    def __init__(
        self,
        address: str,
        explain: Explain,
        *,
        live: bool,
        format: str | None = None,  # noqa: A002 - PyAV's name
        options: dict[str, str] | None = None,
        timeout_s: float | None = None,
    ) -> None:
        self._explain = explain
        self._ready: deque[Shot] = deque()
        options = (_LIVE_OPTIONS if live else {}) | (options or {})
        self._container = _open(address, explain, format=format, options=options, timeout=timeout_s)
        if not self._container.streams.video:
            self._container.close()
            raise explain("there is no video in it")
        video = self._container.streams.video[0]
        # Threads that each take a frame are faster, and as many frames late as there are threads.
        video.thread_type = "SLICE" if live else "AUTO"
        self._encoded = video.codec_context.name == "mjpeg"
        self._time_base = video.time_base or Fraction(1, 1)
        self._step_ns = None if live else int(1_000_000_000 / (video.average_rate or 25))
        self._next_pts_ns = 0
        self._packets = self._container.demux(video)

    def read(self) -> Shot | None:
        """See `Stream.read`."""
        while not self._ready:
            try:
                packet = next(self._packets, None)
            except FFmpegError as error:
                raise self._explain(reason(error)) from None
            if packet is None:
                return None
            self._decode(packet)
        return self._ready.popleft()

    def close(self) -> None:
        """See `Stream.close`."""
        self._container.close()

    def _decode(self, packet: av.Packet[Any]) -> None:
        if self._encoded:
            if packet.size:
                self._ready.append(Shot(EncodedPicture(bytes(packet)), self._pts_ns(packet.pts)))
            return
        try:
            for frame in packet.decode():
                self._ready.append(Shot(DecodedPicture(frame), self._pts_ns(frame.pts)))
        except InvalidDataError:
            self._ready.append(Shot(None, self._pts_ns(packet.pts)))
        except FFmpegError as error:
            raise self._explain(reason(error)) from None

    def _pts_ns(self, pts: int | None) -> int | None:
        if pts is not None:
            pts_ns = pts * self._time_base.numerator * 1_000_000_000 // self._time_base.denominator
        elif self._step_ns is not None:
            pts_ns = self._next_pts_ns
        else:
            return None
        self._next_pts_ns = pts_ns + (self._step_ns or 0)
        return pts_ns


def reason(error: FFmpegError) -> str:
    """What FFmpeg says, without the address."""
    if isinstance(error, av.error.ExitError):
        return "it gives no picture in time"  # PyAV's timeout interrupts FFmpeg, which then says "Immediate exit"
    return error.strerror or type(error).__name__


def _open(address: str, explain: Explain, **how: Any) -> InputContainer:
    try:
        container: InputContainer = av.open(address, "r", **how)
    except FFmpegError as error:
        raise explain(reason(error)) from None
    except ValueError:  # PyAV on a format this FFmpeg was built without
        raise explain("FFmpeg was built without what this source needs") from None
    return container
