"""From a picture to a classifier's input, held against the formulas."""

from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest
from numpy.typing import NDArray

from tests.model_store.classification.reference import IMAGENET_MEAN, IMAGENET_STD, prepared
from vss.codecs.images import Image, decode_image, encode_image, read_image_info
from vss.config import Limits
from vss.errors import ConfigError
from vss.model_store.manifest import InputSpec
from vss.model_store.tasks.classification.crop import centre_crop
from vss.model_store.tasks.classification.cutter import Preparation
from vss.model_store.tasks.classification.inputs import ClassificationInputs
from vss.schemas.frame import FrameHeader

LEVEL = 1 / 255 / 0.224
"""A level of 0..255 as the input has it, about."""


def preparation(side: int, spec: InputSpec | None = None, **changes: Any) -> Preparation:
    spec = spec if spec is not None else InputSpec()
    values: dict[str, Any] = {
        "crop": centre_crop(spec, side, side, whole=False),
        "rgb": True,
        "scale": 1 / 255,
        "mean": IMAGENET_MEAN,
        "std": IMAGENET_STD,
        "bicubic": False,
    }
    return Preparation(**(values | changes))


def written(image: Image, side: int, spec: InputSpec | None = None, **changes: Any) -> NDArray[np.float32]:
    inputs = ClassificationInputs(preparation(side, spec, **changes), 1)
    inputs.batch.fill(np.nan)
    inputs.write(0, image, (image.shape[1], image.shape[0]))
    first: NDArray[np.float32] = inputs.batch[0]
    return first


def scene(width: int, height: int) -> Image:
    """Smooth, as a picture of the world is where it is in focus, with a grain."""
    y, x = np.mgrid[0:height, 0:width]
    waves = np.stack([np.sin(x / 9), np.sin(y / 7), np.sin((x + y) / 13)], axis=-1)
    grain = np.random.default_rng(1).normal(0, 4, waves.shape)
    return (127 + 90 * waves + grain).clip(0, 255).astype(np.uint8)


def test_a_picture_of_the_input_s_size_is_only_normalised() -> None:
    image = np.random.default_rng(2).integers(0, 256, (32, 32, 3), np.uint8)
    expected = (image[:, :, ::-1] / 255 - IMAGENET_MEAN) / IMAGENET_STD
    np.testing.assert_allclose(written(image, 32), expected.transpose(2, 0, 1), atol=1e-6)


@pytest.mark.parametrize(("width", "height"), [(768, 432), (432, 768), (300, 300), (1024, 576), (200, 150)])
def test_other_sizes_are_scaled_and_cut_as_torchvision_does(width: int, height: int) -> None:
    image = scene(width, height)
    difference = np.abs(written(image, 224) - prepared(image, 224, 256)) / LEVEL
    # Pillow's kernel looks at every pixel, ours at those that matter; a shift by a pixel would cost ten levels.
    assert difference.mean() < 1.5
    assert np.abs(written(image, 224) - prepared(np.roll(image, 2, 1), 224, 256)).mean() / LEVEL > 3


def test_detail_finer_than_the_input_is_averaged_and_makes_no_pattern() -> None:
    image = np.zeros((432, 768, 3), np.uint8)
    image[:, ::2] = 255
    ours = written(image, 224, mean=(0, 0, 0), std=(1, 1, 1)) * 255
    plain = cv2.resize(image, (455, 256))[16:240, 115:339]
    assert ours.std() < plain.std() / 2.5


@pytest.mark.parametrize(
    ("spec", "resize", "same"),
    [
        (InputSpec(), 256, True),
        (InputSpec(resize=232), 232, False),
        (InputSpec(resize=224), 224, False),
    ],
)
def test_the_shorter_side_is_the_manifest_s_else_eight_sevenths_of_the_input(
    spec: InputSpec, resize: int, same: bool
) -> None:
    crop = centre_crop(spec, 224, 224, whole=False)
    place = crop.place(768, 432)
    assert (place.width, place.height) == (int(resize * 768 / 432), resize)
    assert (crop.place(224, 224).width == 224) is (same or resize == 224)


def test_thumbnails_are_looked_at_as_a_whole() -> None:
    place = centre_crop(InputSpec(), 32, 32, whole=False).place(768, 432)
    assert (place.width, place.height, place.left, place.top) == (56, 32, 12, 0)


@pytest.mark.parametrize(("width", "height"), [(768, 432), (100, 900), (64, 128), (1, 1), (7, 4000)])
def test_the_picture_always_covers_an_input_that_is_no_square(width: int, height: int) -> None:
    place = centre_crop(InputSpec(), 64, 128, whole=False).place(width, height)
    assert 0 <= place.left <= place.width - 64
    assert 0 <= place.top <= place.height - 128


def test_a_resize_below_the_input_is_refused() -> None:
    with pytest.raises(ConfigError, match=r"input\.resize is 200"):
        centre_crop(InputSpec(resize=200), 224, 224, whole=False)


def test_channels_stay_as_they_come_for_models_of_opencv() -> None:
    image = np.zeros((32, 32, 3), np.uint8)
    image[..., 0] = 255  # blue
    kept = written(image, 32, rgb=False, mean=(0, 0, 0), std=(1, 1, 1))
    turned = written(image, 32, mean=(0, 0, 0), std=(1, 1, 1))
    assert kept.mean(axis=(1, 2)).tolist() == [1, 0, 0]
    assert turned.mean(axis=(1, 2)).tolist() == [0, 0, 1]


def test_mean_and_std_are_red_first_whatever_the_order_of_the_channels() -> None:
    image = np.random.default_rng(4).integers(0, 256, (32, 32, 3), np.uint8)
    np.testing.assert_array_equal(written(image, 32, rgb=False), written(image, 32)[::-1])


@pytest.mark.parametrize("bicubic", [True, False])
def test_room_is_used_again_for_pictures_of_any_size(bicubic: bool) -> None:
    sizes = [(768, 432), (768, 432), (50, 40), (224, 224), (1000, 500), (768, 432)]
    inputs = ClassificationInputs(preparation(224, bicubic=bicubic), 1)
    for i, (width, height) in enumerate(sizes):
        image = np.roll(scene(width, height), i, axis=0)
        inputs.batch.fill(np.nan)
        inputs.write(0, image, (width, height))
        np.testing.assert_array_equal(inputs.batch[0], written(image, 224, bicubic=bicubic))


def test_a_jpeg_that_was_decoded_smaller_lies_in_the_same_place() -> None:
    image = cv2.GaussianBlur(scene(960, 540), (0, 0), 4).astype(np.uint8)
    jpeg = encode_image(image, "jpeg", quality=95)
    info = read_image_info(jpeg, FrameHeader(camera_id="c"), Limits())
    made = preparation(224)
    place = made.crop.place(960, 540)
    small = decode_image(jpeg, info, at_least=(place.width, place.height))
    assert small.shape[:2] == (270, 480)
    inputs = ClassificationInputs(made, 1)
    inputs.write(0, small, (960, 540))
    assert np.abs(inputs.batch[0] - prepared(image, 224, 256)).mean() / LEVEL < 1.5


def test_pictures_of_the_world_come_closer_to_pillow_s_than_opencv_s_own_scaling(shared_data: Path) -> None:
    image = cv2.imread(str(sorted((shared_data / "coco128" / "images").rglob("*.jpg"))[0]))
    assert image is not None
    image = cv2.resize(image, (768, 432), interpolation=cv2.INTER_AREA)
    bytes_ = image.astype(np.uint8)
    expected = prepared(bytes_, 224, 256)
    ours = np.abs(written(bytes_, 224) - expected).mean()
    with_opencv = np.abs(written(cv2.resize(bytes_, (455, 256)).astype(np.uint8), 224) - expected).mean()
    assert ours < with_opencv / 2
