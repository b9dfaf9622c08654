import numpy as np
import pytest

from vss.errors import InferenceFailed
from vss.model_store.tasks.detection.heads import (
    Candidates,
    HeadName,
    anchors,
    end_to_end,
    make_head,
    yolov5,
    yolov8,
    yolox,
)


def only(candidates: Candidates) -> tuple[list[float], float, int]:
    assert len(candidates.scores) == len(candidates.boxes) == len(candidates.class_ids) == 1
    return candidates.boxes[0].tolist(), round(float(candidates.scores[0]), 5), int(candidates.class_ids[0])


def test_yolov8_rows_are_centres_and_sizes_followed_by_class_scores() -> None:
    output = np.zeros((4 + 3, 84), np.float32)
    output[:, 7] = [100, 50, 20, 10, 0.1, 0.2, 0.9]
    assert only(yolov8(output, 0.5)) == ([90, 45, 110, 55], 0.9, 2)


@pytest.mark.parametrize("wrong", [np.nan, np.inf])
@pytest.mark.parametrize(
    ("name", "shape", "place"),
    [
        ("yolov8", (4 + 3, 84), (5, 7)),
        ("yolov5", (252, 5 + 2), (7, 4)),
        ("yolov5", (252, 5 + 2), (7, 5)),
        ("yolox", (84, 5 + 2), (7, 4)),
        ("end_to_end", (10, 6), (7, 4)),
    ],
)
def test_scores_that_are_no_numbers_are_no_empty_picture(
    name: HeadName, shape: tuple[int, int], place: tuple[int, int], wrong: float
) -> None:
    output = np.zeros(shape, np.float32)
    output[7 if name != "yolov8" else 0, 4] = 1.0
    output[place] = wrong
    with pytest.raises(InferenceFailed, match="no numbers"):
        make_head(name, (64, 64))(output, 0.5)


def test_yolov8_keeps_what_just_reaches_the_confidence() -> None:
    output = np.zeros((5, 84), np.float32)
    output[4, :2] = [0.5, 0.4999]
    assert len(yolov8(output, 0.5).scores) == 1


def test_yolov5_scores_are_objectness_times_class() -> None:
    output = np.zeros((252, 5 + 2), np.float32)
    output[3] = [100, 50, 20, 10, 0.8, 0.5, 0.75]
    assert only(yolov5(output, 0.5)) == ([90, 45, 110, 55], 0.6, 1)
    output[3, 4] = 0.6
    assert len(yolov5(output, 0.5).scores) == 0


@pytest.mark.parametrize(
    ("row", "corner", "stride"), [(0, (0, 0), 8), (9, (1, 1), 8), (64 + 5, (1, 1), 16), (64 + 16 + 3, (1, 1), 32)]
)
def test_yolox_offsets_are_relative_to_a_cell_of_their_stride(row: int, corner: tuple[int, int], stride: int) -> None:
    output = np.zeros((84, 5 + 1), np.float32)
    output[row] = [0.5, 0.25, np.log(2), np.log(4), 1.0, 0.9]
    boxes, score, class_id = only(yolox((64, 64))(output, 0.5))
    center = ((corner[0] + 0.5) * stride, (corner[1] + 0.25) * stride)
    expected = [center[0] - stride, center[1] - 2 * stride, center[0] + stride, center[1] + 2 * stride]
    assert boxes == pytest.approx(expected)
    assert (score, class_id) == (0.9, 0)


def test_yolox_grids_follow_the_shape_of_an_input_that_is_not_square() -> None:
    output = np.zeros((anchors((128, 64)), 6), np.float32)
    output[16] = [0, 0, 0, 0, 1, 1]  # the first cell of the second row: 16 cells of 8 pixels lie across
    boxes, _, _ = only(yolox((128, 64))(output, 0.5))
    assert boxes == [-4, 4, 4, 12]


def test_a_wild_yolox_row_stays_finite() -> None:
    output = np.zeros((84, 6), np.float32)
    output[0] = [0, 0, 1e4, 1e4, 1, 1]
    assert np.isfinite(yolox((64, 64))(output, 0.5).boxes).all()


def test_an_end_to_end_row_is_a_box_a_score_and_a_class() -> None:
    output = np.array([[1, 2, 3, 4, 0.9, 5], [1, 2, 3, 4, 0.1, 0], [0, 0, 0, 0, 0, 0]], np.float32)
    assert only(end_to_end(output, 0.5)) == ([1, 2, 3, 4], 0.9, 5)


@pytest.mark.parametrize(
    ("name", "shape"), [("yolov8", (6, 84)), ("yolov5", (252, 7)), ("yolox", (84, 7)), ("end_to_end", (10, 6))]
)
def test_an_output_without_objects_gives_no_candidates(name: str, shape: tuple[int, int]) -> None:
    candidates = make_head(name, (64, 64))(np.zeros(shape, np.float32), 0.25)  # type: ignore[arg-type]
    assert candidates.boxes.shape == (0, 4)
    assert candidates.scores.shape == candidates.class_ids.shape == (0,)
