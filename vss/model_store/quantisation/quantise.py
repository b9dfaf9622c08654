"""From a model in fp32 to the best one in 8 bits that the pictures allow.

1. Judge the original on all pictures.
2. Watch what flows through it on a quarter of them.
3. Try every way to choose the ranges of activations.
4. Quantise each layer alone to see which are sensitive; try the best ways with those left in fp32.
5. Race all candidates against the original.
6. Choose.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, Protocol

import numpy as np
from numpy.typing import NDArray

from vss.config import ModelSettings
from vss.errors import GateFailed, ModelUnsupported
from vss.model_store.quantisation.activations import Activations, observe
from vss.model_store.quantisation.candidate import Candidate, Measured, Points, choose
from vss.model_store.quantisation.graph import Graph, prepare
from vss.model_store.quantisation.judge import Found, Judge, find, judge_for
from vss.model_store.quantisation.recipe import Recipe
from vss.model_store.quantisation.rewrite import quantise
from vss.model_store.quantisation.samples import Sample, Split, model_inputs, split
from vss.model_store.quantisation.search import first_round, second_round
from vss.model_store.quantisation.sensitivity import rank_layers
from vss.model_store.quantisation.speed import ROUNDS, race
from vss.model_store.resolve import ModelRef
from vss.model_store.runner.runner import Runner
from vss.model_store.tasks.registry import task_kind

if TYPE_CHECKING:
    from onnx import ModelProto

_SENSITIVITY_INPUTS: Final = 2
_SPEED_INPUTS: Final = 4
NOTE_KEY: Final = "vss_quantisation"
"""In the metadata of a quantised model: what it was made from and how."""


class Watcher(Protocol):
    """Is told how far the work is."""

    def stage(self, name: str, steps: int) -> None:
        """A stage of so many steps begins."""

    def step(self) -> None:
        """One is done."""

    def tried(self, candidate: Candidate) -> None:
        """A candidate has been judged."""


@dataclass(frozen=True, slots=True)
class Report:
    """What was measured.

    Attributes:
        measure: What points are: `mAP50-95`, or `agreement` with the original.
        calibration: Pictures the ranges are from.
        pictures: Pictures in all.
        original: Points of the original.
        original_cpu_ms: CPU time of a call of the original, milliseconds.
        layers: How many the model has.
        sensitive: The layers by the error that each makes alone, the worst first, and that error.
        candidates: All that were tried, in that order.
        chosen: The best; None where none is within the limit.
        max_loss: The limit, points.
    """

    measure: str
    calibration: int
    pictures: int
    original: Points
    original_cpu_ms: float
    layers: int
    sensitive: tuple[tuple[str, float], ...]
    candidates: tuple[Measured, ...]
    chosen: Measured | None
    max_loss: float

    def best(self) -> Measured:
        """The one to keep.

        Raises:
            GateFailed: None is within the limit and faster than the original.
        """
        if self.chosen is not None:
            return self.chosen
        nearest = min(self.candidates, key=lambda one: one.lost)
        if nearest.lost > self.max_loss:
            raise GateFailed(
                f"no candidate is within {self.max_loss:g} points of the original:"
                f" the nearest loses {nearest.lost:.2f}, at {nearest.speed.ratio:.2f} times its speed",
                fix="give more pictures, of what the model will see, or a larger --max-loss",
            )
        raise GateFailed(
            "no candidate within the limit is faster than the original on this machine",
            fix="serve the original; 8 bits pay where a model's time goes into convolutions",
        )


def check_quantisable(ref: ModelRef) -> None:
    """Refuses what pictures cannot be shown to.

    Raises:
        ModelUnsupported: It is a series model.
    """
    kind = task_kind(ref.manifest.task)
    if kind.takes != "picture":
        raise ModelUnsupported(
            f"{ref.name}@{ref.version} is for {kind.name}: it looks at readings, and 8 bits are for models of pictures",
            fix="serve it as it is",
        )


def quantise_model(
    ref: ModelRef,
    settings: ModelSettings,
    samples: Sequence[Sample],
    folder: Path,
    *,
    max_loss: float,
    seed: int,
    watcher: Watcher,
) -> Report:
    """Tries recipes on a model and measures them (see the module).

    Args:
        ref: The model, an ONNX file in fp32.
        settings: Of models.
        samples: Pictures of what it will see; where all are labelled, the labels judge.
        folder: Where candidates are written to.
        max_loss: Points that may be lost.
        seed: Draws the pictures to calibrate with.
        watcher: Is told how far it is.

    Raises:
        ModelError: The model cannot be served, or not be quantised.
        ConfigError: `onnx` is missing, or a picture cannot be read.
    """
    check_quantisable(ref)
    graph, parts = prepare(ref.file), split(samples, seed=seed)
    watcher.stage("judge the original", len(parts.all))
    judge, found = judge_for(ref, settings, parts.all, watcher.step)
    original = _points(judge, found, parts)
    runner: Runner[Any] = Runner.load(ref, judge.settings)
    try:
        activations, inputs = _watch(graph, runner, parts, watcher)
        bench = _Bench(ref, graph, activations, judge, parts, original, runner, inputs, folder, watcher)
        tried = [bench.try_out(recipe) for recipe in first_round()]
        watcher.stage("find the sensitive layers", len(graph.layers))
        best = min(tried[1:], key=lambda one: one.lost).recipe
        ranking = rank_layers(graph, activations, best, inputs[:_SENSITIVITY_INPUTS], watcher.step)
        tried += [bench.try_out(recipe) for recipe in second_round(tried, [n for n, _ in ranking], graph.heads)]
        original_ms, measured = bench.race(tried)
    finally:
        runner.close()
    return Report(
        judge.measure,
        len(parts.calibration),
        len(parts.all),
        original,
        original_ms,
        len(graph.layers),
        tuple(ranking),
        tuple(measured),
        choose(measured, max_loss=max_loss),
        max_loss,
    )


def _watch(
    graph: Graph, runner: Runner[Any], parts: Split, watcher: Watcher
) -> tuple[Activations, list[NDArray[np.float32]]]:
    """What flows through the model, and a few of its inputs."""
    fixed = runner.model.input_shape[0]
    watcher.stage("watch its activations", -(-len(parts.calibration) // (fixed or 1)))
    activations = observe(graph, model_inputs(runner.task, parts.calibration, fixed), watcher.step)
    few = parts.calibration[: _SPEED_INPUTS * (fixed or 1)]
    return activations, list(model_inputs(runner.task, few, fixed))


def _points(judge: Judge, found: Found, parts: Split) -> Points:
    return Points(judge.points(found, parts.all), judge.points(found, parts.unseen) if parts.unseen else None)


@dataclass(frozen=True, slots=True)
class _Bench:
    """Makes candidates and measures them."""

    ref: ModelRef
    graph: Graph
    activations: Activations
    judge: Judge
    parts: Split
    original: Points
    runner: Runner[Any]
    inputs: Sequence[NDArray[np.float32]]
    folder: Path
    watcher: Watcher

    def try_out(self, recipe: Recipe) -> Candidate:
        self.watcher.stage(f"try {recipe.ranges} ranges", len(self.parts.all))
        file = self.folder / f"{len(list(self.folder.iterdir()))}.onnx"
        model = quantise(self.graph, self.activations, recipe)
        _write(model, file, {"from": f"{self.ref.name}@{self.ref.version}", **recipe.document()})
        ref = ModelRef(self.ref.name, self.ref.version, file, self.ref.manifest)
        points = _points(self.judge, find(ref, self.judge.settings, self.parts.all, self.watcher.step), self.parts)
        tried = Candidate(recipe, points, self.original.lost_to(points), file)
        self.watcher.tried(tried)
        return tried

    def race(self, candidates: Sequence[Candidate]) -> tuple[float, list[Measured]]:
        self.watcher.stage("race them", (ROUNDS + 1) * (len(candidates) + 1))
        with ExitStack() as stack:
            runs = []
            for one in candidates:
                ref = ModelRef(self.ref.name, self.ref.version, one.file, self.ref.manifest)
                runner: Runner[Any] = Runner.load(ref, self.judge.settings)
                stack.callback(runner.close)
                runs.append(runner.model.run)
            original_ms, speeds = race(self.runner.model.run, runs, self.inputs, on_turn=self.watcher.step)
        return original_ms, [Measured(one, speed) for one, speed in zip(candidates, speeds, strict=True)]


def _write(model: ModelProto, file: Path, note: dict[str, Any]) -> None:
    import onnx

    entry = model.metadata_props.add()
    entry.key, entry.value = NOTE_KEY, json.dumps(note)
    onnx.save(model, str(file))
