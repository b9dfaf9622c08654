"""What a worker that looks at pictures costs beside its model, measured on both sides in turn."""

from __future__ import annotations

import statistics
from collections.abc import Callable, Mapping, Sequence
from contextlib import ExitStack
from dataclasses import dataclass

from vss.bench.raw import RawModel
from vss.bench.served import serve_one
from vss.bench.worker import WorkerBench
from vss.config import Settings
from vss.errors import StreamError
from vss.metrics import Metrics
from vss.model_store.evaluation.usage import Usage
from vss.model_store.resolve import ModelRef
from vss.model_store.runner.runner import Runner
from vss.workers.pictures.kinds import PictureWorker

WARM_UP_FRAMES = 16


@dataclass(frozen=True, slots=True)
class Round:
    """Both sides once, the model alone before and after the worker, so that a drift of the machine's speed cancels.

    Attributes:
        raw: The model alone, for one frame: the mean of before and after.
        worker: The worker, for one frame.
    """

    raw: Usage
    worker: Usage

    @property
    def cpu_ratio(self) -> float:
        """CPU time of the model alone over the worker's; 1 is a worker that costs nothing."""
        return self.raw.cpu_s / self.worker.cpu_s

    @property
    def speed_ratio(self) -> float:
        """The worker's frames/s over those of the model alone."""
        return self.raw.wall_s / self.worker.wall_s


@dataclass(frozen=True, slots=True)
class PictureBench:
    """What was measured.

    Attributes:
        facts: What is known about the model, as its task says.
        frames: In each round.
        distinct_frames: Different pictures among them.
        jpeg_bytes: Of a frame, on average.
        stages: Milliseconds a frame by stage, as they passed on the threads; stages overlap.
        frames_a_transaction: On average.
        events: Committed, as a reader found them.
    """

    model: str
    version: str
    facts: Mapping[str, str]
    providers: tuple[str, ...]
    threads: int
    width: int
    height: int
    frames: int
    distinct_frames: int
    jpeg_bytes: int
    rounds: tuple[Round, ...]
    stages: dict[str, float]
    frames_a_transaction: float
    events: int

    @property
    def cpu_ratio(self) -> float:
        """The median of the rounds."""
        return statistics.median(r.cpu_ratio for r in self.rounds)

    @property
    def speed_ratio(self) -> float:
        """The median of the rounds."""
        return statistics.median(r.speed_ratio for r in self.rounds)

    @property
    def raw_cpu_ms(self) -> float:
        """CPU milliseconds a frame of the model alone, the median of the rounds."""
        return statistics.median(r.raw.cpu_s for r in self.rounds) * 1000

    @property
    def worker_cpu_ms(self) -> float:
        """CPU milliseconds a frame of the worker, the median of the rounds."""
        return statistics.median(r.worker.cpu_s for r in self.rounds) * 1000

    @property
    def raw_frames_a_second(self) -> float:
        """Of the model alone, the median of the rounds."""
        return 1 / statistics.median(r.raw.wall_s for r in self.rounds)

    @property
    def worker_frames_a_second(self) -> float:
        """Of the worker, the median of the rounds."""
        return 1 / statistics.median(r.worker.wall_s for r in self.rounds)


def bench_pictures(
    settings: Settings,
    kind: PictureWorker,
    ref: ModelRef,
    jpegs: Sequence[bytes],
    size: tuple[int, int],
    *,
    rounds: int,
    frames: int,
    on_round: Callable[[Round], None] = lambda _: None,
) -> PictureBench:
    """Measures the worker and its model in turn.

    Args:
        settings: The cluster, with a prefix of the bench's own, and the model's settings.
        kind: Which worker.
        ref: Its model.
        jpegs: Different frames.
        size: Width and height of the frames, pixels.
        rounds: How many times.
        frames: In each round.
        on_round: Told of each round when it is over.

    Raises:
        ModelUnsupported: The model is for another task than the worker.
        ModelError: It cannot be served.
        InferenceFailed: It did not answer every frame.
        StreamError: The cluster fails, or not every frame has one event.
    """
    metrics = Metrics()
    with ExitStack() as resources:
        runner = Runner.load(ref, settings.model)
        resources.callback(runner.close)
        serving = serve_one(ref, settings.model, metrics, task=kind.task)
        resources.callback(serving.close)
        worker = WorkerBench(settings, kind, serving, metrics)
        worker.fill(jpegs, frames)
        done, stages = _take_turns(worker, RawModel(runner, jpegs), rounds=rounds, frames=frames, on_round=on_round)
        events, expected = worker.committed_events(), frames * (rounds + 1)
        if events != expected:
            raise StreamError(f"{expected} frames were worked on, and {events} events are committed")
        return PictureBench(
            model=runner.name,
            version=runner.version,
            facts=dict(runner.task.facts),
            providers=runner.providers,
            threads=runner.threads,
            width=size[0],
            height=size[1],
            frames=frames,
            distinct_frames=min(len(jpegs), frames),
            jpeg_bytes=sum(map(len, jpegs)) // len(jpegs),
            rounds=tuple(done),
            stages=stages,
            frames_a_transaction=frames * rounds / max(worker.transactions, 1),
            events=events,
        )


def _take_turns(
    worker: WorkerBench, raw: RawModel, *, rounds: int, frames: int, on_round: Callable[[Round], None]
) -> tuple[list[Round], dict[str, float]]:
    """The rounds, after one of each side that does not count; and milliseconds a frame by stage."""
    raw.run(WARM_UP_FRAMES)
    worker.work(frames)
    worker.transactions = 0
    done: list[Round] = []
    stages: dict[str, float] = {}
    before = raw.run(frames)
    for _ in range(rounds):
        work = worker.work(frames)
        after = raw.run(frames)
        mean = Usage((before.cpu_s + after.cpu_s) / 2, (before.wall_s + after.wall_s) / 2)
        done.append(Round(mean, work.usage))
        for name, seconds in work.stages.items():
            stages[name] = stages.get(name, 0.0) + seconds * 1000 / rounds
        before = after
        on_round(done[-1])
    return done, stages
