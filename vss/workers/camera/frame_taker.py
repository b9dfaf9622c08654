"""Which of a source's pictures become frames, and when."""

from __future__ import annotations

from dataclasses import dataclass

from vss.clock import Clock
from vss.workers.camera.picture import Picture
from vss.workers.camera.source import Shot
from vss.workers.ingest.buffer import Buffer
from vss.workers.ingest.counts import Counts, DropReason
from vss.workers.ingest.pacing import Pacer, RateLimit


@dataclass(frozen=True, slots=True)
class CapturedFrame:
    """A frame that the camera took.

    Attributes:
        seq: Counts captured frames from 0.
        captured_ns: Wall-clock time, nanoseconds since the epoch.
        pts_ns: Presentation time in the source, nanoseconds.
    """

    seq: int
    captured_ns: int
    pts_ns: int
    picture: Picture


class FrameTaker:
    """See `vss.workers.ingest.capture.Taker`.

    Args:
        buffer: Where frames go.
        fps: Frames a second at most.
        live: Whether the source has a pace of its own.
        pacer: Keeps the pace of what is not live; None reads as fast as it can.
        counts: Told of every frame.
        clock: Time.
    """

    def __init__(
        self,
        buffer: Buffer[CapturedFrame],
        *,
        fps: float | None,
        live: bool,
        pacer: Pacer | None,
        counts: Counts,
        clock: Clock,
    ) -> None:
        self._buffer = buffer
        self._rate = RateLimit(fps)
        self._live = live
        self._pacer = pacer
        self._counts = counts
        self._clock = clock

    def restart(self) -> None:
        """See `Taker.restart`."""
        self._rate.restart()
        if self._pacer is not None:
            self._pacer.restart()

    def take(self, item: Shot, elapsed_ns: int) -> None:
        """See `Taker.take`."""
        pts_ns = item.pts_ns if item.pts_ns is not None else elapsed_ns
        # Presentation times of a camera cannot be relied on; when a picture came can.
        if not self._rate.takes(elapsed_ns if self._live else pts_ns):
            return
        if self._pacer is not None and not self._pacer.wait(pts_ns):
            return
        captured_ns = self._clock.now_ns()
        seq = self._counts.capture()
        if item.picture is None:
            self._counts.drop(DropReason.UNDECODABLE)
            return
        frame = CapturedFrame(seq, captured_ns, pts_ns, item.picture)
        shed = self._buffer.put(frame)
        if shed is not None:
            self._counts.drop(DropReason.STOPPED if shed is frame else DropReason.BUFFER_FULL)
