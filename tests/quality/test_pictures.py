"""What is wrong with a camera's pictures, a problem a test; on pictures that were encoded as a camera's are."""

from __future__ import annotations

import cv2
import numpy as np
import pytest

from vss.codecs.images import Image, encode_image, read_image_info
from vss.config import Limits, QualitySettings
from vss.errors import UndecodableImage
from vss.schemas.frame import FrameHeader
from vss.testing import make_image
from vss.workers.quality.arrivals import Arrival
from vss.workers.quality.episodes import Change
from vss.workers.quality.pictures import CameraWatch, look_at

SCENE = make_image(640, 360, seed=1)
RNG = np.random.default_rng(7)


def noisy(image: Image) -> Image:
    noise = RNG.normal(0, 3, image.shape)
    return (image.astype(np.float32) + noise).clip(0, 255).astype(np.uint8)


def blurred(image: Image) -> Image:
    return cv2.GaussianBlur(image, (0, 0), 8).astype(np.uint8)


class Bench:
    """A camera with ten frames a second."""

    def __init__(self) -> None:
        self.watch = CameraWatch(QualitySettings(frozen_after_s=2))
        self.offset = 0

    def show(self, *images: Image) -> list[tuple[str, bool, int]]:
        changes: list[Change] = []
        for image in images:
            value = encode_image(image, "jpeg")
            look = look_at(value, read_image_info(value, FrameHeader(camera_id="c"), Limits()))
            ts_ms = self.offset * 100
            changes += list(self.watch.look(Arrival(self.offset, ts_ms, ts_ms), look))
            self.offset += 1
        return [(change.about.problem, change.starts, change.since.offset) for change in changes]


def usual(bench: Bench, frames: int = 40) -> None:
    assert bench.show(*(noisy(SCENE) for _ in range(frames))) == []


def test_a_camera_that_shows_one_picture_over_and_over_is_frozen() -> None:
    bench = Bench()
    usual(bench, 5)
    still = noisy(SCENE)
    assert bench.show(*[still] * 20) == []
    assert bench.show(still, still) == [("frozen", True, 5)]
    assert bench.show(*[still] * 30) == []
    assert bench.show(noisy(SCENE)) == [("frozen", False, 5)]


def test_a_black_picture_is_black_and_not_frozen_or_blurred() -> None:
    bench = Bench()
    usual(bench)
    black = np.full_like(SCENE, 4)
    assert bench.show(*[black] * 60) == [("black", True, 40)]
    assert bench.show(noisy(SCENE)) == [("black", False, 40)]


def test_a_dark_scene_with_lights_is_not_black() -> None:
    bench = Bench()
    night = np.full_like(SCENE, 3)
    night[100:180, 200:320] = 220
    assert bench.show(*(noisy(night) for _ in range(10))) == []


def test_a_picture_far_less_sharp_than_usual_is_blurred_once_its_camera_is_known() -> None:
    bench = Bench()
    soft = blurred(SCENE)
    assert bench.show(*(noisy(soft) for _ in range(5))) == [], "nobody knows yet what is usual"
    bench = Bench()
    usual(bench)
    assert bench.show(*(blurred(noisy(SCENE)) for _ in range(10))) == [("blurred", True, 40)]
    assert bench.show(noisy(SCENE)) == [("blurred", False, 40)]


def test_one_odd_frame_is_no_problem() -> None:
    bench = Bench()
    usual(bench)
    assert bench.show(np.zeros_like(SCENE), noisy(SCENE), blurred(SCENE), noisy(SCENE)) == []


def test_half_a_picture_is_refused() -> None:
    value = encode_image(SCENE, "jpeg")
    info = read_image_info(value, FrameHeader(camera_id="c"), Limits())
    with pytest.raises(UndecodableImage):
        look_at(value[: len(value) // 2], info)
