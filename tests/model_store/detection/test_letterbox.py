import cv2
import numpy as np
import pytest

from vss.model_store.tasks.detection.letterbox import InputBuffer, Letterbox, Placement
from vss.testing import make_image


def test_a_wide_picture_is_padded_above_and_below() -> None:
    assert Letterbox(640, 640).place(1280, 720) == Placement(0.5, 0.5, 0, 140, 640, 360)


def test_a_tall_picture_is_padded_left_and_right() -> None:
    assert Letterbox(640, 640).place(360, 1280) == Placement(0.5, 0.5, 230, 0, 180, 640)


def test_a_small_picture_is_enlarged() -> None:
    assert Letterbox(640, 640).place(64, 64) == Placement(10, 10, 0, 0, 640, 640)


def test_padding_at_the_right_and_below_only_leaves_the_picture_at_the_top_left() -> None:
    placement = Letterbox(416, 416, centered=False).place(832, 416)
    assert (placement.left, placement.top, placement.width, placement.height) == (0, 0, 416, 208)


def test_an_odd_padding_is_split_as_the_models_are_trained() -> None:
    # 21 rows are over; Ultralytics puts 10 above and 11 below.
    placement = Letterbox(640, 640).place(640, 619)
    assert (placement.top, placement.height) == (10, 619)


@pytest.mark.parametrize("rgb", [True, False])
@pytest.mark.parametrize("scale", [1.0, 1 / 255])
@pytest.mark.parametrize("size", [(768, 432), (300, 500), (64, 64), (31, 17), (2000, 3)])
def test_the_input_equals_resizing_padding_and_scaling_one_after_the_other(
    rgb: bool, scale: float, size: tuple[int, int]
) -> None:
    letterbox = Letterbox(64, 64, rgb=rgb, scale=scale)
    image = make_image(*size)
    placement = letterbox.place(*size)
    buffer = InputBuffer(letterbox, 1)
    buffer.write(0, image, size)

    padded = np.full((64, 64, 3), 114, np.uint8)
    resized = image if size == (64, 64) else cv2.resize(image, (placement.width, placement.height))
    rows, columns = slice(placement.top, placement.top + placement.height), slice(placement.left, None)
    padded[rows, columns][:, : placement.width] = resized
    channels = padded[..., ::-1] if rgb else padded
    expected = channels.transpose(2, 0, 1).astype(np.float32) * np.float32(scale)
    np.testing.assert_allclose(buffer.batch[0], expected, rtol=1e-6)


def test_a_slot_used_again_for_another_size_shows_nothing_of_the_last_picture() -> None:
    letterbox = Letterbox(64, 64)
    fresh, reused = InputBuffer(letterbox, 1), InputBuffer(letterbox, 1)
    reused.write(0, make_image(64, 64, seed=1), (64, 64))
    for buffer in (fresh, reused):
        buffer.write(0, make_image(100, 30), (100, 30))
    np.testing.assert_array_equal(fresh.batch, reused.batch)


def test_slots_do_not_touch_one_another() -> None:
    letterbox = Letterbox(64, 64)
    buffer = InputBuffer(letterbox, 2)
    buffer.write(0, make_image(64, 48), (64, 48))
    before = buffer.batch[0].copy()
    buffer.write(1, make_image(48, 64, seed=1), (48, 64))
    np.testing.assert_array_equal(buffer.batch[0], before)


def test_a_picture_that_cannot_be_written_to_is_read() -> None:
    letterbox = Letterbox(64, 64)
    image = make_image(64, 64)
    image.flags.writeable = False
    for size in ((64, 64), (128, 128)):
        picture = np.frombuffer(cv2.resize(image, size).tobytes(), np.uint8).reshape(size[1], size[0], 3)
        InputBuffer(letterbox, 1).write(0, picture, size)
