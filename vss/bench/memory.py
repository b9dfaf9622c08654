"""How much memory a worker holds, and whether it stays that much."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Final

import psutil

from vss.bench.served import serve_one
from vss.bench.worker import WorkerBench
from vss.config import Settings
from vss.metrics import Metrics
from vss.model_store.resolve import ModelRef
from vss.workers.pictures.kinds import DETECT

SETTLED_AFTER: Final = 500


@dataclass(frozen=True, slots=True)
class MemoryBench:
    """What was measured; the bench itself lies in the same memory, so a worker alone holds less.

    Attributes:
        samples: Events so far and resident bytes, at each transaction.
    """

    model: str
    version: str
    samples: tuple[tuple[int, int], ...]

    @property
    def settled(self) -> tuple[int, ...]:
        """Resident bytes from 500 frames on."""
        return tuple(size for events, size in self.samples if events >= SETTLED_AFTER)

    @property
    def last_bytes(self) -> int:
        """At the end."""
        return self.samples[-1][1]

    @property
    def drift(self) -> float:
        """The largest distance from what was held at 500 frames, as a share of it."""
        first = self.settled[0]
        return max(abs(size - first) for size in self.settled) / first


def bench_memory(
    settings: Settings,
    ref: ModelRef,
    jpegs: Sequence[bytes],
    *,
    frames: int,
    on_events: Callable[[int], None] = lambda _: None,
) -> MemoryBench:
    """Lets one worker process that many frames and watches its memory.

    Raises:
        ModelError: The model cannot be served.
        StreamError: The cluster fails.
    """
    metrics, process = Metrics(), psutil.Process()
    serving = serve_one(ref, settings.model, metrics, task=DETECT.task)
    samples: list[tuple[int, int]] = []

    def sample(events: int) -> None:
        samples.append((events, process.memory_info().rss))
        on_events(events)

    try:
        worker = WorkerBench(settings, DETECT, serving, metrics)
        worker.fill(jpegs, frames)
        worker.work(frames, on_events=sample)
    finally:
        serving.close()
    return MemoryBench(ref.name, ref.version, tuple(samples))
