from pathlib import Path

import pytest

from tests.model_store.detection.tiny_models import write_model, yolov8_output
from vss.errors import ModelUnsupported
from vss.model_store.backends.onnx import OnnxModel
from vss.model_store.manifest import InputSpec, Manifest
from vss.model_store.resolve import ModelRef
from vss.model_store.tasks.picture_input import picture_wh

OUTPUT = yolov8_output((32, 32, 16, 8, 1, 0.9))


def ask(folder: Path, shape: tuple[int | str, ...], spec: InputSpec) -> tuple[int, int]:
    file = write_model(folder / "m.onnx", OUTPUT, input_shape=shape)
    return picture_wh(ModelRef("m", "1", file, Manifest(input=spec)), OnnxModel(file, device="cpu"), default=320)


@pytest.mark.parametrize(
    ("shape", "message"), [((64, 64), "rank 3"), ((3, 64, 64, 2), "rank 5"), ((1, 64, 64), "1 channels")]
)
def test_an_input_that_is_no_batch_of_colour_images_is_refused(
    tmp_path: Path, shape: tuple[int, ...], message: str
) -> None:
    with pytest.raises(ModelUnsupported, match=message) as raised:
        ask(tmp_path, shape, InputSpec())
    assert "(batch, 3, height, width)" in raised.value.fix


def test_a_model_of_any_size_takes_its_manifests_and_else_the_default(tmp_path: Path) -> None:
    assert ask(tmp_path, (3, "h", "w"), InputSpec(width=96)) == (96, 320)


def test_a_models_own_size_cannot_be_changed(tmp_path: Path) -> None:
    assert ask(tmp_path, (3, 48, 64), InputSpec(width=64)) == (64, 48)
    with pytest.raises(ModelUnsupported, match=r"input\.height is 64, the model takes 48 alone"):
        ask(tmp_path, (3, 48, 64), InputSpec(height=64))
