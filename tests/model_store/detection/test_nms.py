import numpy as np
import pytest

from vss.model_store.tasks.detection.heads import Candidates
from vss.model_store.tasks.detection.nms import MAX_CANDIDATES, strongest, suppress


def candidates(*rows: tuple[float, float, float, float, float, int]) -> Candidates:
    array = np.array(rows, np.float32).reshape(-1, 6)
    return Candidates(array[:, :4], array[:, 4], array[:, 5].astype(np.intp))


def scores(found: Candidates) -> list[float]:
    return [round(score, 4) for score in found.scores.tolist()]


def test_of_boxes_of_one_class_that_overlap_the_most_confident_stays() -> None:
    found = suppress(
        candidates((0, 0, 10, 10, 0.6, 0), (1, 0, 11, 10, 0.9, 0), (50, 50, 60, 60, 0.7, 0)), iou=0.4, max_detections=9
    )
    assert scores(found) == [0.9, 0.7]


def test_boxes_of_different_classes_never_suppress_one_another() -> None:
    found = suppress(candidates((0, 0, 10, 10, 0.6, 0), (0, 0, 10, 10, 0.9, 1)), iou=0.4, max_detections=9)
    assert found.class_ids.tolist() == [1, 0]


@pytest.mark.parametrize(("iou", "kept"), [(0.49, 1), (0.51, 2)])
def test_boxes_merge_above_the_threshold(iou: float, kept: int) -> None:
    # Side by side by a third: two thirds of each are shared, half of both together.
    pair = candidates((0, 0, 30, 10, 0.9, 0), (10, 0, 40, 10, 0.8, 0))
    assert len(suppress(pair, iou=iou, max_detections=9).scores) == kept


def test_boxes_with_negative_corners_are_compared_as_any_other() -> None:
    found = suppress(candidates((-20, -20, 10, 10, 0.9, 0), (-19, -20, 11, 10, 0.8, 0)), iou=0.4, max_detections=9)
    assert scores(found) == [0.9]


def test_no_more_than_the_most_confident_are_reported() -> None:
    apart = candidates(*((i * 20.0, 0, i * 20 + 10, 10, 0.1 + i / 100, 0) for i in range(20)))
    assert scores(suppress(apart, iou=0.4, max_detections=2)) == [0.29, 0.28]
    assert scores(strongest(apart, 2)) == [0.29, 0.28]


def test_nothing_stays_nothing() -> None:
    assert len(suppress(candidates(), iou=0.4, max_detections=9).scores) == 0
    assert len(strongest(candidates(), 9).scores) == 0


def test_a_flood_of_candidates_is_cut_to_the_most_confident() -> None:
    count = MAX_CANDIDATES + 1000
    boxes = np.zeros((count, 4), np.float32)
    boxes[:, 2:] = 10
    flood = Candidates(boxes, np.linspace(0, 1, count, dtype=np.float32), np.zeros(count, np.intp))
    assert scores(suppress(flood, iou=0.4, max_detections=9)) == [1.0]
