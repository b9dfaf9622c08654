"""The capturing half of a camera: opens the source again and again, and puts its frames into the buffer."""

from __future__ import annotations

import threading

from vss.clock import Clock
from vss.errors import SourceUnavailable, SourceUnreadable
from vss.workers.camera.backoff import Backoff
from vss.workers.camera.counts import DropReason, FrameCounts
from vss.workers.camera.frame_buffer import CapturedFrame, FrameBuffer
from vss.workers.camera.pacing import Pacer, RateLimit
from vss.workers.camera.source import Shot, Source
from vss.workers.camera.status import CameraStatus

# A source that drops sooner than this after it opened goes on waiting longer and longer.
_STEADY_S = 10.0


class Capture:
    """Runs on a thread of its own, which does as little as it can: a live source does not wait.

    Args:
        source: Where pictures come from.
        buffer: Where frames go; closed at the end.
        fps: Frames a second at most.
        loop: Begin again at the end of what is not live.
        paced: Keep the pace of what is not live.
        backoff: Waits before a live source is tried again.
        counts: Told of every frame.
        status: Told of every change.
        clock: Time.
        stop: Ends `run`.
    """

    def __init__(
        self,
        source: Source,
        buffer: FrameBuffer,
        *,
        fps: float | None,
        loop: bool,
        paced: bool,
        backoff: Backoff,
        counts: FrameCounts,
        status: CameraStatus,
        clock: Clock,
        stop: threading.Event,
    ) -> None:
        self._source = source
        self._buffer = buffer
        self._rate = RateLimit(fps)
        self._loop = loop
        self._pacer = Pacer(clock, stop) if paced and not source.live else None
        self._backoff = backoff
        self._counts = counts
        self._status = status
        self._clock = clock
        self._stop = stop

    def run(self) -> None:
        """Captures until the source ends for good or `stop` is set.

        Raises:
            SourceUnreadable: The source cannot be read and never will be.
        """
        while not self._stop.is_set():
            try:
                shots = self._read_to_the_end()
                if self._source.live and not self._stop.is_set():
                    raise SourceUnavailable("the stream ended")
            except SourceUnavailable as error:
                self._status.down(str(error))
                self._clock.wait(self._stop, self._backoff.next_s())
                continue
            if shots == 0 and not self._stop.is_set():
                raise SourceUnreadable(
                    f"no picture in {self._source.name}", fix="name a video or folder that holds some"
                )
            if not self._loop:
                return

    def _read_to_the_end(self) -> int:
        """Opens the source and reads it once through; returns how many pictures it gave."""
        stream = self._source.open()
        try:
            opened_s = self._clock.monotonic()
            self._rate.restart()
            if self._pacer is not None:
                self._pacer.restart()
            shots = 0
            while not self._stop.is_set() and (shot := stream.read()) is not None:
                shots += 1
                self._status.up()
                elapsed_s = self._clock.monotonic() - opened_s
                if elapsed_s > _STEADY_S:
                    self._backoff.reset()
                self._offer(shot, int(elapsed_s * 1e9))
            return shots
        finally:
            stream.close()

    def _offer(self, shot: Shot, elapsed_ns: int) -> None:
        pts_ns = shot.pts_ns if shot.pts_ns is not None else elapsed_ns
        # Presentation times of a camera cannot be relied on; when a picture came can.
        if not self._rate.takes(elapsed_ns if self._source.live else pts_ns):
            return
        if self._pacer is not None and not self._pacer.wait(pts_ns):
            return
        captured_ns = self._clock.now_ns()
        seq = self._counts.capture()
        if shot.picture is None:
            self._counts.drop(DropReason.UNDECODABLE)
            return
        frame = CapturedFrame(seq, captured_ns, pts_ns, shot.picture)
        shed = self._buffer.put(frame)
        if shed is not None:
            self._counts.drop(DropReason.STOPPED if shed is frame else DropReason.BUFFER_FULL)
