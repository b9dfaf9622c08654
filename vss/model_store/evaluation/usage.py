"""What a stretch of work cost."""

from __future__ import annotations

import time
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Usage:
    """Time of a stretch of work.

    Attributes:
        cpu_s: Of the whole process, every thread of it, librdkafka's and ONNX Runtime's included.
        wall_s: As it passed.
    """

    cpu_s: float
    wall_s: float

    def per_frame(self, frames: int) -> Usage:
        """The part of one frame."""
        return Usage(self.cpu_s / frames, self.wall_s / frames)


class Stopwatch:
    """Runs from where it is made."""

    def __init__(self) -> None:
        self._cpu_s = time.process_time()
        self._wall_s = time.perf_counter()

    def read(self) -> Usage:
        """What has passed."""
        return Usage(time.process_time() - self._cpu_s, time.perf_counter() - self._wall_s)
