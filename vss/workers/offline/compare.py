"""Runs two versions of a model over the same frames, in turn, and says where and how far they agree."""

from __future__ import annotations

import statistics
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any, Final

from vss.config import ModelSettings
from vss.errors import BadRecord, ConfigError, InferenceFailed
from vss.model_store.comparison.difference import Difference, Tally
from vss.model_store.comparison.tasks import RESULTS, only_one_answered
from vss.model_store.comparison.worst import Example, WorstExamples
from vss.model_store.evaluation.footprint import measure_memory
from vss.model_store.evaluation.usage import Stopwatch, Usage
from vss.model_store.resolve import ModelRef
from vss.model_store.runner.answer import Answer
from vss.model_store.runner.runner import Runner
from vss.model_store.tasks.registry import task_kind
from vss.workers.offline.frames import BadFrame, Frame
from vss.workers.offline.infer import MAX_BATCH_PIXELS

# Frames of a turn: both sides see them before more are read. Few, so that turns alternate often, and enough for all
# threads of a side to have whole batches.
_SMALLEST_TURN, _LARGEST_TURN = 8, 64
_REPORTED: Final = 5


@dataclass(frozen=True, slots=True)
class SideReport:
    """What one version cost.

    Attributes:
        name: Of the model.
        version: Of the model.
        providers: What ran it, first choice first.
        cpu_ms: Of the whole process for a frame, decoding included, milliseconds.
        wall_ms: For a frame, decoding included, all threads at work, milliseconds.
        model_ms: A frame's share of the model call alone, as it passed, milliseconds.
        resident_bytes: Memory a process holds more with it; None where it was not measured.
        device_bytes: What the model holds on its device, about.
        failed: Frames that it failed on.
        own_classes: Classes that the other version does not know.
    """

    name: str
    version: str
    providers: tuple[str, ...]
    cpu_ms: float
    wall_ms: float
    model_ms: float
    resident_bytes: int | None
    device_bytes: int
    failed: int
    own_classes: tuple[str, ...]

    @property
    def label(self) -> str:
        """`name@version`."""
        return f"{self.name}@{self.version}"


@dataclass(frozen=True, slots=True)
class Comparison:
    """What was found.

    Attributes:
        task: Of both.
        a: The first version.
        b: The second.
        tally: Their differences, added up.
        cpu_ratio: CPU time of B over A's, the median of the turns; above 1 B is slower.
        unreadable: Frames that could not be looked at.
        first_unreadable: The first of them.
        worst: Frames that differ most, the worst first.
    """

    task: str
    a: SideReport
    b: SideReport
    tally: Tally
    cpu_ratio: float
    unreadable: int
    first_unreadable: tuple[BadFrame, ...]
    worst: tuple[Example, ...]


def compare_versions(
    refs: tuple[ModelRef, ModelRef],
    settings: ModelSettings,
    frames: Iterable[Frame | BadFrame],
    *,
    worst: int = 6,
    memory: bool = True,
) -> Comparison:
    """Runs A and B over frames.

    They take turns, a few frames each, and who begins changes from turn to turn, so that a machine that gets slower or
    faster meets both alike. The first turn is made twice and counts once: the first time warms both up.

    Args:
        refs: A and B.
        settings: Where models run and what they report.
        frames: Read as the comparison goes on.
        worst: Examples to keep.
        memory: Whether to measure it, which loads each once more in a process of its own.

    Raises:
        ModelError: A version cannot be served.
        ConfigError: They are of different tasks, or no frame could be looked at.
    """
    tasks = [ref.manifest.task for ref in refs]
    if tasks[0] != tasks[1]:
        named = " and ".join(f"{ref.name}@{ref.version} ({ref.manifest.task})" for ref in refs)
        raise ConfigError(f"{named} do different things", fix="compare two models of one task")
    if task_kind(tasks[0]).takes != "picture":
        raise ConfigError(
            f"{refs[0].name} is for {tasks[0]}: it looks at readings of sensors, and these are frames",
            fix="compare it on readings, in a CSV file",
        )
    resident = [measure_memory(ref, settings) if memory else None for ref in refs]
    sides: list[_Side] = []
    try:
        for ref in refs:
            sides.append(_Side(Runner.load(ref, settings)))
        judge = _Judge(tasks[0], worst)
        at_once = max(side.runner.threads * side.runner.batch for side in sides)
        for chunk in _chunks(frames, judge, min(max(at_once, _SMALLEST_TURN), _LARGEST_TURN)):
            judge.take_turn(chunk, sides)
        judge.check()
        classes = [set(side.runner.labels) for side in sides]
        own = [tuple(sorted(classes[0] - classes[1])), tuple(sorted(classes[1] - classes[0]))]
        reports = [side.report(bytes_, classes_) for side, bytes_, classes_ in zip(sides, resident, own, strict=True)]
        return judge.comparison(reports[0], reports[1])
    finally:
        for side in sides:
            side.runner.close()


class _Side:
    """One version at work."""

    def __init__(self, runner: Runner[Any]) -> None:
        self.runner = runner
        self.failed = 0
        self.frames = 0
        self._cpu_s = self._wall_s = self._model_s = 0.0

    def run(self, chunk: Sequence[Frame]) -> tuple[list[Answer[Any] | Exception], Usage]:
        """What it says about each frame."""
        watch = Stopwatch()
        futures = self.runner.submit([frame.picture for frame in chunk])
        answers: list[Answer[Any] | Exception] = []
        for future in futures:
            try:
                answers.append(future.result())
            except (BadRecord, InferenceFailed) as error:
                answers.append(error)
        return answers, watch.read()

    def count(self, answers: Sequence[Answer[Any] | Exception], usage: Usage) -> None:
        """Adds a turn."""
        self.frames += len(answers)
        self.failed += sum(isinstance(answer, InferenceFailed) for answer in answers)
        self._cpu_s += usage.cpu_s
        self._wall_s += usage.wall_s
        self._model_s += sum(answer.inference_s for answer in answers if isinstance(answer, Answer))

    def report(self, resident_bytes: int | None, own_classes: tuple[str, ...]) -> SideReport:
        """What it cost."""
        frames = max(1, self.frames)
        answered = max(1, self.frames - self.failed)
        return SideReport(
            name=self.runner.name,
            version=self.runner.version,
            providers=self.runner.providers,
            cpu_ms=self._cpu_s * 1000 / frames,
            wall_ms=self._wall_s * 1000 / frames,
            model_ms=self._model_s * 1000 / answered,
            resident_bytes=resident_bytes,
            device_bytes=self.runner.model.resident_bytes,
            failed=self.failed,
            own_classes=own_classes,
        )


class _Judge:
    """Adds up differences, and keeps what is worth showing."""

    def __init__(self, task: str, worst: int) -> None:
        self._task = task
        self._compare = (task_kind(task).comparing or RESULTS).compare
        self._worst = WorstExamples(worst)
        self._tally = Tally()
        self._unreadable: list[BadFrame] = []
        self._unreadable_count = 0
        self._ratios: list[float] = []
        self._turns = 0

    def take_turn(self, chunk: Sequence[Frame], sides: Sequence[_Side]) -> None:
        """Lets both sides look at some frames."""
        if not self._turns:
            for side in sides:
                side.run(chunk)
        order = (0, 1) if self._turns % 2 == 0 else (1, 0)
        self._turns += 1
        answers: list[list[Answer[Any] | Exception]] = [[], []]
        usages = [Usage(0.0, 0.0)] * 2
        for i in order:
            answers[i], usages[i] = sides[i].run(chunk)
            sides[i].count(answers[i], usages[i])
        if usages[0].cpu_s > 0:
            self._ratios.append(usages[1].cpu_s / usages[0].cpu_s)
        for frame, a, b in zip(chunk, *answers, strict=True):
            self._judge(frame, a, b)

    def unreadable(self, bad: BadFrame) -> None:
        """Counts a frame that nobody can look at."""
        self._unreadable_count += 1
        if len(self._unreadable) < _REPORTED:
            self._unreadable.append(bad)

    def check(self) -> None:
        """Raises what stands against any verdict."""
        if self._tally.pictures:
            return
        if self._unreadable:
            first = self._unreadable[0]
            raise ConfigError(
                f"none of {self._unreadable_count} frames could be looked at; {first.place}: {first.error}",
                fix="name frames or pictures that are whole",
            )
        raise ConfigError("there is no frame to compare on", fix="widen the range, or name other inputs")

    def comparison(self, a: SideReport, b: SideReport) -> Comparison:
        """The result."""
        return Comparison(
            task=self._task,
            a=a,
            b=b,
            tally=self._tally,
            cpu_ratio=statistics.median(self._ratios) if self._ratios else 1.0,
            unreadable=self._unreadable_count,
            first_unreadable=tuple(self._unreadable),
            worst=tuple(self._worst.worst_first()),
        )

    def _judge(self, frame: Frame, a: Answer[Any] | Exception, b: Answer[Any] | Exception) -> None:
        for answer in (a, b):
            if isinstance(answer, BadRecord):
                self.unreadable(BadFrame(frame.place, answer))
                return
        values = [answer.value if isinstance(answer, Answer) else None for answer in (a, b)]
        failed = not (isinstance(a, Answer) and isinstance(b, Answer))
        difference: Difference = only_one_answered() if failed else self._compare(*values)
        self._tally.add(difference)
        if self._worst.wants(frame.place, difference):
            picture = frame.picture
            image = picture.load((picture.width, picture.height))
            self._worst.add(Example(frame.place, image, values[0], values[1], difference))


def _chunks(frames: Iterable[Frame | BadFrame], judge: _Judge, size: int) -> Iterator[list[Frame]]:
    chunk: list[Frame] = []
    pixels = 0
    for frame in frames:
        if isinstance(frame, BadFrame):
            judge.unreadable(frame)
            continue
        chunk.append(frame)
        pixels += frame.picture.width * frame.picture.height
        if len(chunk) >= size or pixels >= MAX_BATCH_PIXELS:
            yield chunk
            chunk, pixels = [], 0
    if chunk:
        yield chunk
