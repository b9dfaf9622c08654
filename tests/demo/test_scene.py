from __future__ import annotations

import numpy as np
import pytest

from vss.demo.scene.belt import Belt
from vss.demo.scene.parts import CLASSES, OVERSAMPLING, draw_shape
from vss.demo.scene.scene import Scene, TrueObject


@pytest.fixture(scope="module")
def scene() -> Scene:
    return Scene(5, loop_s=6.0)


def test_a_seed_gives_the_same_frames_again(scene: Scene) -> None:
    again = Scene(5, loop_s=6.0)
    for number in (0, 17, 89):
        frame, objects = scene.frame(number)
        other, others = again.frame(number)
        assert np.array_equal(frame, other)
        assert objects == others


def test_frames_do_not_depend_on_the_order_they_are_asked_for(scene: Scene) -> None:
    late, _ = scene.frame(40)
    scene.frame(3)
    assert np.array_equal(late, scene.frame(40)[0])


def test_two_seeds_are_two_scenes(scene: Scene) -> None:
    other = Scene(6, loop_s=6.0)
    assert scene.frame(0)[1] != other.frame(0)[1]
    difference = np.abs(scene.frame(0)[0].astype(int) - other.frame(0)[0].astype(int))
    assert difference.mean() > 10


def test_the_scene_runs_in_a_circle(scene: Scene) -> None:
    count = scene.frames_in_loop
    first, objects = scene.frame(0)
    assert np.array_equal(first, scene.frame(count)[0])
    # From the last frame to the first is a step like any other: parts move on, light hardly changes.
    step = _mean_difference(scene, count - 1, 0)
    usual = [_mean_difference(scene, number, number + 1) for number in range(0, count - 1, 13)]
    assert step < 1.25 * max(usual)
    assert objects


def test_parts_move_with_the_belt_from_left_to_right(scene: Scene) -> None:
    before, after = scene.frame(10)[1], scene.frame(12)[1]
    moved = []
    for part in before:
        if part.visible < 0.9:
            continue
        same = [o for o in after if o.class_ == part.class_ and abs(_middle(o)[1] - _middle(part)[1]) < 3]
        moved += [_middle(o)[0] - _middle(part)[0] for o in same if 0 < _middle(o)[0] - _middle(part)[0] < 60]
    assert len(moved) >= 4
    assert np.std(moved) < 4


def test_boxes_lie_where_parts_are_drawn() -> None:
    # What shines is a part, rubber does not: the same scene with white parts on a black belt.
    scene = Scene(8, loop_s=5.0)
    belt = scene._belt
    shines = belt.surface[:, :, 3] > 9
    surface = np.zeros_like(belt.surface)
    surface[shines, :3] = 255
    scene._belt = Belt(belt.length, surface, belt.parts)
    frame, objects = scene.frame(20)
    white = frame.min(axis=2) > 70
    white[: int(0.25 * scene.height)] = white[int(0.8 * scene.height) :] = False  # the rails
    inside = np.zeros(white.shape, bool)
    checked = 0
    for part in objects:
        x1, y1, x2, y2 = part.bbox
        inside[max(0, int(y1) - 1) : int(y2) + 2, max(0, int(x1) - 1) : int(x2) + 2] = True
        if part.visible > 0.99 and y1 > 0.26 * scene.height and y2 < 0.79 * scene.height:
            box = white[int(y1) : int(y2) + 1, int(x1) : int(x2) + 1]
            # It reaches all four sides, so the box is not too large either.
            rows, columns = np.flatnonzero(box.any(axis=1)), np.flatnonzero(box.any(axis=0))
            # A bolt is round and falls off to dark sides.
            near = 7 if part.class_ == "bolt" else 3
            assert rows[0] <= near, part
            assert rows[-1] >= box.shape[0] - 1 - near, part
            assert columns[0] <= near, part
            assert columns[-1] >= box.shape[1] - 1 - near, part
            checked += 1
    assert checked >= 4
    assert (white & inside).sum() > 100 * (white & ~inside).sum()


def test_boxes_lie_within_the_frame_and_say_how_much_is_seen(scene: Scene) -> None:
    seen: list[TrueObject] = [part for number in range(0, scene.frames_in_loop, 5) for part in scene.frame(number)[1]]
    assert {part.class_ for part in seen} <= set(CLASSES)
    assert any(part.visible < 0.5 for part in seen)
    assert sum(part.visible > 0.95 for part in seen) > len(seen) / 2
    for part in seen:
        x1, y1, x2, y2 = part.bbox
        assert 0 <= x1 < x2 <= scene.width
        assert 0 <= y1 < y2 <= scene.height
        assert 0 <= part.visible <= 1


def test_light_changes_slowly_and_the_picture_has_noise(scene: Scene) -> None:
    levels = [scene.frame(number)[0].mean() for number in range(0, scene.frames_in_loop, 6)]
    assert max(levels) - min(levels) > 2
    # The floor above the belt stands still: what differs there between two frames is noise and a little light.
    first, second = (scene.frame(number)[0][:40].astype(float) for number in (0, 1))
    assert 0.8 < np.std(first - second) < 8


@pytest.mark.parametrize("name", CLASSES)
def test_every_class_has_a_shape_of_a_sensible_size(name: str) -> None:
    rng = np.random.default_rng(3)
    for _ in range(10):
        shape = draw_shape(name, rng)
        area = float(shape.cover.sum()) / OVERSAMPLING**2
        assert 200 < area < 4000
        assert shape.height.max() > 1
        # Nothing touches the border, or it would be cut off.
        assert shape.cover[[0, -1]].max() == shape.cover[:, [0, -1]].max() == 0


def _mean_difference(scene: Scene, first: int, second: int) -> float:
    return float(np.abs(scene.frame(first)[0].astype(int) - scene.frame(second)[0].astype(int)).mean())


def _middle(part: TrueObject) -> tuple[float, float]:
    x1, y1, x2, y2 = part.bbox
    return (x1 + x2) / 2, (y1 + y2) / 2
