"""The bounded buffer between capture and Kafka."""

from __future__ import annotations

import threading
from collections import deque
from dataclasses import dataclass

from vss.workers.camera.picture import Picture


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


class FrameBuffer:
    """First in, first out, between two threads.

    Args:
        size: Frames it holds.
        shed_oldest: What happens when it is full: the oldest frame goes (live sources), or the giver waits (files).
    """

    def __init__(self, size: int, *, shed_oldest: bool) -> None:
        self._size = size
        self._shed_oldest = shed_oldest
        self._frames: deque[CapturedFrame] = deque()
        self._changed = threading.Condition()
        self._closed = False

    def put(self, frame: CapturedFrame) -> CapturedFrame | None:
        """Gives a frame; returns the one that had to go for it, which is the frame itself when the buffer is closed."""
        with self._changed:
            while len(self._frames) >= self._size and not self._shed_oldest and not self._closed:
                self._changed.wait()
            if self._closed:
                return frame
            shed = self._frames.popleft() if len(self._frames) >= self._size else None
            self._frames.append(frame)
            self._changed.notify_all()
            return shed

    def take(self) -> CapturedFrame | None:
        """Waits for a frame; None when the buffer is closed and empty."""
        with self._changed:
            while not self._frames:
                if self._closed:
                    return None
                self._changed.wait()
            frame = self._frames.popleft()
            self._changed.notify_all()
            return frame

    def close(self) -> None:
        """No frame comes any more; what is in it can still be taken. Idempotent."""
        with self._changed:
            self._closed = True
            self._changed.notify_all()

    @property
    def closed(self) -> bool:
        """Whether it was closed."""
        return self._closed

    def __len__(self) -> int:
        return len(self._frames)
