"""What a model takes by itself: time to load and to warm up, memory, and time a picture by batch size and device."""

from __future__ import annotations

import contextlib
import statistics
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any, Final, Literal

from vss.bench.raw import RawModel
from vss.config import ModelSettings
from vss.errors import ConfigError
from vss.model_store.evaluation.footprint import LoadTime, measure_load, measure_memory
from vss.model_store.evaluation.usage import Usage
from vss.model_store.resolve import ModelRef
from vss.model_store.runner.runner import Runner

Device = Literal["cpu", "cuda", "tensorrt"]
BATCHES: Final = (1, 2, 4, 8, 16, 32)


@dataclass(frozen=True, slots=True)
class BatchCost:
    """What a picture costs in batches of one size; medians of the rounds.

    Attributes:
        batch: Pictures a call.
        cpu_ms: Of the whole process, a picture.
        wall_ms: As it passed, a picture, with all callers at work.
        call_ms: As one call passed, about: what a picture waits for its batch.
    """

    batch: int
    cpu_ms: float
    wall_ms: float
    call_ms: float


@dataclass(frozen=True, slots=True)
class ModelCost:
    """What one model takes on one device.

    Attributes:
        ref: Which model.
        device: Where it was asked to run.
        providers: What ran it, first choice first.
        callers: Calls under way at once.
        load: Time to load and to warm up.
        resident_bytes: Memory a process holds more with it.
        device_bytes: What the model holds on its device, about.
        batches: Smallest first; a model with a batch of its own has that one alone.
    """

    ref: ModelRef
    device: Device
    providers: tuple[str, ...]
    callers: int
    load: LoadTime
    resident_bytes: int
    device_bytes: int
    batches: tuple[BatchCost, ...]


@dataclass(frozen=True, slots=True)
class _Contender:
    runner: Runner[Any]
    device: Device
    load: LoadTime
    resident_bytes: int

    def batches(self, wanted: Sequence[int]) -> tuple[int, ...]:
        own = self.runner.model.input_shape[0]
        return tuple(wanted) if own is None else (own,)


def bench_models(
    refs: Sequence[ModelRef],
    settings: ModelSettings,
    jpegs: Sequence[bytes],
    *,
    devices: Sequence[Device] | None = None,
    batches: Sequence[int] = BATCHES,
    rounds: int = 5,
    pictures: int = 32,
    on_step: Callable[[int], None] = lambda _: None,
) -> list[ModelCost]:
    """Measures models on devices: in each round every one with every batch size, so that none has the better hour.

    Args:
        refs: The models.
        settings: How they run; the device is each of `devices` in turn.
        jpegs: What the inputs are made of.
        devices: Where; by default the CPU, and CUDA where it is there.
        batches: Pictures a call, of models that take any number.
        rounds: How many times.
        pictures: In each measurement, at least.
        on_step: Told when a round is over.

    Raises:
        ModelError: A model cannot be served.
        ConfigError: A device that was asked for is not there, or what runs a model is not installed.
    """
    with contextlib.ExitStack() as stack:
        contenders = [
            contender
            for ref in refs
            for device in devices or ("cpu", "cuda")
            if (contender := _contender(ref, settings, device, asked_for=devices is not None)) is not None
        ]
        for contender in contenders:
            stack.callback(contender.runner.close)
        wanted = sorted(set(batches))
        usages: dict[tuple[int, int], list[Usage]] = {}
        for number in range(rounds + 1):
            for i, contender, batch in _turns(contenders, wanted):
                # Made anew each time: kept, the inputs of all sizes would be gigabytes. Not measured.
                raw = RawModel(contender.runner, jpegs, batch=batch)
                # Before the first round each grows its memory to the size of its batch.
                usage = raw.run(pictures if number else 1)
                if number:
                    usages.setdefault((i, batch), []).append(usage)
            if number:
                on_step(1)
        return [_cost(contender, i, usages) for i, contender in enumerate(contenders)]


def _contender(ref: ModelRef, settings: ModelSettings, device: Device, *, asked_for: bool) -> _Contender | None:
    settings = settings.model_copy(update={"device": device})
    try:
        runner = Runner.load(ref, settings)
    except ConfigError:
        # No such device is here, and nobody asked for it.
        if asked_for or device == "cpu":
            raise
        return None
    return _Contender(runner, device, measure_load(ref, settings), measure_memory(ref, settings))


def _turns(contenders: Sequence[_Contender], batches: Sequence[int]) -> Iterator[tuple[int, _Contender, int]]:
    sizes = sorted({batch for contender in contenders for batch in contender.batches(batches)})
    for batch in sizes:
        for i, contender in enumerate(contenders):
            if batch in contender.batches(batches):
                yield i, contender, batch


def _cost(contender: _Contender, place: int, usages: dict[tuple[int, int], list[Usage]]) -> ModelCost:
    runner = contender.runner
    costs = []
    for (i, batch), found in sorted(usages.items()):
        if i == place:
            wall_ms = statistics.median(usage.wall_s for usage in found) * 1000
            cpu_ms = statistics.median(usage.cpu_s for usage in found) * 1000
            costs.append(BatchCost(batch, cpu_ms, wall_ms, wall_ms * batch * runner.threads))
    return ModelCost(
        ref=runner.ref,
        device=contender.device,
        providers=runner.providers,
        callers=runner.threads,
        load=contender.load,
        resident_bytes=contender.resident_bytes,
        device_bytes=runner.model.resident_bytes,
        batches=tuple(costs),
    )
