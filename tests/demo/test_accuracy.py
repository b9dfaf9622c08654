"""What the committed model can do, and that the figure means what it says."""

from __future__ import annotations

import numpy as np
import pytest

from vss.config import ModelSettings
from vss.demo import CONVEYOR_MODEL
from vss.demo.accuracy import _Judge, measure_accuracy
from vss.demo.run import SEEDS
from vss.demo.scene.parts import CLASSES
from vss.demo.scene.scene import Scene
from vss.model_store.resolve import resolve_model
from vss.model_store.runner.runner import Runner

BOX = np.array([[10.0, 10.0, 50.0, 50.0]])
NONE = np.zeros((0, 4))


def test_the_committed_model_finds_the_parts_of_scenes_it_never_saw() -> None:
    figures = measure_accuracy(CONVEYOR_MODEL, range(905, 908), frames_a_scene=5)
    assert figures["parts"] > 150
    assert figures["map50"] >= 0.95
    assert figures["map50_95"] >= 0.7


def test_the_model_is_smaller_than_a_megabyte() -> None:
    assert CONVEYOR_MODEL.stat().st_size < 1_000_000


def test_a_worker_serves_the_model_as_it_is() -> None:
    detector = Runner.load(resolve_model(str(CONVEYOR_MODEL), ModelSettings()), ModelSettings(threads=1))
    try:
        assert detector.labels == CLASSES
        frame, objects = Scene(SEEDS[0]).frame(7)
        (found,) = detector.run([frame])
        assert {one.class_ for one in found.value} <= set(CLASSES)
        # Each part that is wholly seen is found, by its class, where it is.
        wanted = [part for part in objects if part.visible > 0.95]
        hits = 0
        for part in wanted:
            x, y = (part.bbox[0] + part.bbox[2]) / 2, (part.bbox[1] + part.bbox[3]) / 2
            hits += any(
                one.class_ == part.class_ and abs(one.center[0] - x) < 6 and abs(one.center[1] - y) < 6
                for one in found.value
            )
        assert hits >= 0.85 * len(wanted) > 4
    finally:
        detector.close()


def test_average_precision_is_one_when_everything_is_found() -> None:
    judge = _Judge()
    judge.add(0, BOX, np.array([0.9]), BOX, NONE)
    assert judge.average_precisions(0) == pytest.approx(np.ones(10))


def test_a_box_that_lies_a_little_off_counts_at_low_thresholds_alone() -> None:
    judge = _Judge()
    # 35 of 40 columns in common: IoU 35/45 = 0.78.
    judge.add(0, BOX + np.array([5.0, 0.0, 5.0, 0.0]), np.array([0.9]), BOX, NONE)
    assert judge.average_precisions(0) == pytest.approx([1] * 6 + [0] * 4)


def test_a_false_alarm_before_the_hit_halves_the_precision() -> None:
    judge = _Judge()
    judge.add(0, np.concatenate([BOX + 200, BOX]), np.array([0.9, 0.8]), BOX, NONE)
    assert judge.average_precisions(0)[0] == pytest.approx(0.5)


def test_a_second_box_on_one_part_is_a_false_alarm() -> None:
    judge = _Judge()
    two = np.concatenate([BOX, BOX + 300])
    judge.add(0, np.concatenate([BOX, BOX + 1]), np.array([0.9, 0.8]), two, NONE)
    # Half of the parts found: 51 of the 101 recall points have precision 1.
    assert judge.average_precisions(0)[0] == pytest.approx(51 / 101)


def test_a_part_hardly_seen_is_neither_missed_nor_a_false_alarm() -> None:
    judge = _Judge()
    judge.add(0, np.concatenate([BOX + 200, BOX]), np.array([0.9, 0.8]), BOX, BOX + 200)
    assert judge.average_precisions(0)[0] == pytest.approx(1.0)
