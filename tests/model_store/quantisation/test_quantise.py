from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import pytest

from tests.model_store.quantisation.conv_net import LABELS, PLAIN, conv_net, samples, write
from vss.config import ModelSettings
from vss.errors import ConfigError, GateFailed
from vss.model_store.evaluation.average_precision import TrueBox
from vss.model_store.manifest import Manifest
from vss.model_store.quantisation import rewrite
from vss.model_store.quantisation.candidate import Candidate
from vss.model_store.quantisation.judge import PrecisionJudge
from vss.model_store.quantisation.quantise import NOTE_KEY, Report, quantise_model
from vss.model_store.quantisation.recipe import Recipe
from vss.model_store.quantisation.samples import Sample, model_inputs, split
from vss.model_store.quantisation.search import PLAIN as YARDSTICK
from vss.model_store.quantisation.speed import Speed
from vss.model_store.resolve import ModelRef
from vss.model_store.runner.picture import Picture
from vss.model_store.runner.runner import Runner
from vss.schemas.events import DetectedObject

SETTINGS = ModelSettings(device="cpu", threads=1)


class Log:
    """What a watcher is told."""

    def __init__(self) -> None:
        self.stages: list[tuple[str, int]] = []
        self.steps = 0
        self.judged: list[Candidate] = []

    def stage(self, name: str, steps: int) -> None:
        assert self.steps == sum(count for _, count in self.stages), "the stage before is not over"
        self.stages.append((name, steps))

    def step(self) -> None:
        self.steps += 1

    def tried(self, candidate: Candidate) -> None:
        self.judged.append(candidate)


def as_fast_as(ratio: float) -> Callable[..., Any]:
    """A race with a known end: a test must not hang on how busy a machine is."""

    def race(_original: Any, others: Sequence[Any], *_: Any, **options: Any) -> tuple[float, list[Speed]]:
        for _turn in range(12 * (len(others) + 1)):
            options["on_turn"]()
        return 10.0, [Speed(ratio, 10.0 / ratio)] * len(others)

    return race


@pytest.fixture
def ref(tmp_path: Path) -> ModelRef:
    manifest = Manifest.model_validate({"task": "classification", "input": PLAIN})
    return ModelRef("net", "1", write(conv_net(channels=32), tmp_path / "net.onnx"), manifest)


def quantised(ref: ModelRef, folder: Path, log: Log, *, max_loss: float = 5.0, count: int = 16) -> Report:
    (folder / "made").mkdir()
    return quantise_model(ref, SETTINGS, samples(count), folder / "made", max_loss=max_loss, seed=0, watcher=log)


def test_candidates_are_judged_raced_and_the_best_can_be_served(
    ref: ModelRef, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("vss.model_store.quantisation.quantise.race", as_fast_as(2.0))
    log = Log()
    report = quantised(ref, tmp_path, log)
    assert (report.measure, report.calibration, report.pictures, report.layers) == ("agreement", 4, 16, 3)
    assert report.original.all == report.original.unseen == 100
    recipes = [one.candidate.recipe for one in report.candidates]
    assert recipes[0] == YARDSTICK
    assert {recipe.ranges for recipe in recipes} == {"minmax", "percentile", "entropy", "mse"}
    assert (report.sensitive[0][0],) in {recipe.kept for recipe in recipes}
    assert len(set(recipes)) == len(recipes)
    assert [one.candidate for one in report.candidates] == log.judged
    assert log.steps == sum(steps for _, steps in log.stages)
    best = report.best()
    assert best.lost == min(one.lost for one in report.candidates)

    file = best.candidate.file
    runner: Runner[Any] = Runner.load(ModelRef("net", "2", file, ref.manifest), SETTINGS)
    try:
        assert runner.labels == LABELS
    finally:
        runner.close()
    notes = {one.key: one.value for one in onnx.load(str(file)).metadata_props}
    assert '"from": "net@1"' in notes[NOTE_KEY]


def test_a_candidate_that_loses_too_much_is_not_kept(
    ref: ModelRef, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("vss.model_store.quantisation.quantise.race", as_fast_as(2.0))
    spoil(monkeypatch, lambda recipe: recipe.ranges != "mse")
    report = quantised(ref, tmp_path, Log())
    assert report.best().candidate.recipe.ranges == "mse"
    assert max(one.lost for one in report.candidates) > 5


def test_where_all_lose_too_much_nothing_is_kept_and_the_nearest_is_named(
    ref: ModelRef, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("vss.model_store.quantisation.quantise.race", as_fast_as(2.0))
    spoil(monkeypatch, lambda _: True)
    report = quantised(ref, tmp_path, Log())
    with pytest.raises(GateFailed, match=r"within 5 points .* the nearest loses \d"):
        report.best()


def test_a_model_that_8_bits_make_no_faster_stays_as_it_is(
    ref: ModelRef, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("vss.model_store.quantisation.quantise.race", as_fast_as(0.9))
    with pytest.raises(GateFailed, match="faster than the original"):
        quantised(ref, tmp_path, Log()).best()


def spoil(monkeypatch: pytest.MonkeyPatch, which: Callable[[Recipe], bool]) -> None:
    """Candidates of some recipes lose their last layer: they see the first class everywhere."""

    def spoiled(graph: Any, activations: Any, recipe: Recipe) -> Any:
        model = rewrite.quantise(graph, activations, recipe)
        if which(recipe):
            for one in model.graph.initializer:
                if one.name in {"head.w_quantized", "head.w", "head.b_quantized", "head.b"}:
                    held = onnx.numpy_helper.to_array(one)
                    one.CopyFrom(onnx.numpy_helper.from_array(np.zeros_like(held), one.name))
        return model

    monkeypatch.setattr("vss.model_store.quantisation.quantise.quantise", spoiled)


def test_a_quarter_of_the_pictures_is_drawn_and_the_rest_stays_unseen() -> None:
    all_samples = samples(40)
    parts = split(all_samples, seed=3)
    assert len(parts.calibration) == 10
    assert not set(map(id, parts.calibration)) & set(map(id, parts.unseen))
    assert {one.name for one in parts.all} == {one.name for one in all_samples}
    assert split(all_samples, seed=3) == parts
    assert split(all_samples, seed=4) != parts
    assert len(split(all_samples[:1], seed=0).calibration) == 1


def test_no_picture_at_all_is_an_error() -> None:
    with pytest.raises(ConfigError, match="no picture"):
        split([], seed=0)


def test_a_model_of_a_fixed_batch_is_given_full_ones(ref: ModelRef) -> None:
    runner: Runner[Any] = Runner.load(ref, SETTINGS)
    try:
        batches = list(model_inputs(runner.task, samples(5), 4))
    finally:
        runner.close()
    assert [batch.shape for batch in batches] == [(4, 3, 32, 32)] * 2
    # The last picture fills up what is left.
    assert (batches[1][0] == batches[1][1]).all()
    assert (batches[1][0] != batches[0][0]).any()


def test_labels_judge_what_is_found_in_hundredths_of_mean_average_precision() -> None:
    box = (10.0, 10.0, 30.0, 30.0)
    thing = DetectedObject(class_="a", class_id=0, confidence=0.9, bbox=box, center=(20.0, 20.0))
    picture = Picture.decoded(np.zeros((64, 64, 3), np.uint8))
    labelled = [Sample("x", picture, (TrueBox(0, box),)), Sample("y", picture, (TrueBox(0, box),))]
    judge = PrecisionJudge(SETTINGS)
    assert judge.points({"x": (thing,), "y": (thing,)}, labelled) == pytest.approx(100)
    assert judge.points({"x": (thing,), "y": ()}, labelled) == pytest.approx(100 * 51 / 101)
    assert judge.points({"x": (thing,), "y": ()}, labelled[:1]) == pytest.approx(100)
