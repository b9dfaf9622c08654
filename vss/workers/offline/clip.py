"""Writes pictures as a video that every player and browser shows: H.264 in MP4."""

from __future__ import annotations

import contextlib
from fractions import Fraction
from pathlib import Path
from types import TracebackType
from typing import Any

import av
from av.container import OutputContainer
from av.error import FFmpegError
from av.video.stream import VideoStream

from vss.codecs.images import Image
from vss.errors import ConfigError

_TIME_BASE = Fraction(1, 90_000)
# Visually lossless for boxes and small text, and quick enough not to slow a detector down.
_OPTIONS = {"crf": "23", "preset": "veryfast"}


class ClipWriter:
    """A context manager; the file is there, whole, once it is closed, and no file is if nothing was written.

    Args:
        path: Of the MP4; replaced when it exists, its folder must.

    Raises:
        ConfigError: From `write` and `close`: the file cannot be written.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        self._part = path.with_name(f".{path.name}.part")
        self._container: OutputContainer | None = None
        self._stream: VideoStream | None = None
        self._first_ns = 0
        self._last_pts = -1

    def __enter__(self) -> ClipWriter:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def write(self, image: Image, pts_ns: int) -> None:
        """Adds a picture.

        Args:
            image: (H, W, 3) BGR. The first decides the clip's size, rounded down to even numbers; others are scaled.
            pts_ns: When it is shown, counted from any moment; never earlier than the one before.
        """
        try:
            stream = self._stream or self._open(image, pts_ns)
            frame = av.VideoFrame.from_ndarray(image, format="bgr24")
            frame = frame.reformat(width=stream.width, height=stream.height, format="yuv420p")
            frame.time_base = _TIME_BASE
            # MP4 wants every picture later than the one before.
            frame.pts = max(round((pts_ns - self._first_ns) * _TIME_BASE.denominator / 1e9), self._last_pts + 1)
            self._last_pts = frame.pts
            self._mux(frame)
        except (FFmpegError, OSError) as error:
            raise self._unwritable(error) from error

    def close(self) -> None:
        """Finishes the file. Idempotent."""
        container, self._container = self._container, None
        if container is None:
            return
        try:
            try:
                self._mux(None, container)
            finally:
                container.close()
            self._part.replace(self.path)
        except (FFmpegError, OSError) as error:
            with contextlib.suppress(OSError):
                self._part.unlink()
            raise self._unwritable(error) from error

    def _open(self, image: Image, pts_ns: int) -> VideoStream:
        height, width = image.shape[:2]
        self._container = av.open(str(self._part), "w", format="mp4", options={"movflags": "faststart"})
        stream: VideoStream = self._container.add_stream("libx264", options=_OPTIONS)
        # yuv420p halves the colour's resolution, so both sides must be even.
        stream.width, stream.height = max(width - width % 2, 2), max(height - height % 2, 2)
        stream.pix_fmt = "yuv420p"
        stream.codec_context.time_base = _TIME_BASE
        self._stream, self._first_ns = stream, pts_ns
        return stream

    def _mux(self, frame: av.VideoFrame | None, container: Any = None) -> None:
        container = container or self._container
        if self._stream is not None:
            for packet in self._stream.encode(frame):
                container.mux(packet)

    def _unwritable(self, error: OSError | FFmpegError) -> ConfigError:
        return ConfigError(
            f"{self.path} cannot be written: {error.strerror or error}",
            fix="name a folder on a disk with space, which you may write to",
        )
