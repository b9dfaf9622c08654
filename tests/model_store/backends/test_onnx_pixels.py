"""Scaling in front of a model gives what scaling on the CPU gives."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import onnx
import onnxruntime
import pytest
from numpy.typing import NDArray
from onnx import TensorProto

from tests.model_store.detection.tiny_models import SIDE, write_model, yolov8_output
from vss.model_store.backends.onnx import OnnxModel
from vss.model_store.backends.onnx_pixels import with_pixels
from vss.model_store.backends.pixels import PixelScaling, fuse_pixels
from vss.model_store.tasks.detection.letterbox import InputBuffer, Letterbox
from vss.model_store.tasks.detection.pixel_buffer import PixelBuffer

RNG = np.random.default_rng(1)
OUTPUT = yolov8_output((32, 32, 16, 8, 1, 0.5))
IMAGENET = PixelScaling(
    rgb=True,
    scale=(1 / 255 / 0.229, 1 / 255 / 0.224, 1 / 255 / 0.225),
    offset=(-0.485 / 0.229, -0.456 / 0.224, -0.406 / 0.225),
)


def echo(path: Path, input_type: int = TensorProto.FLOAT) -> Path:
    """A model whose output is its input."""
    shape: list[str | int | None] = ["batch", 3, "height", "width"]
    graph = onnx.helper.make_graph(
        [onnx.helper.make_node("Identity", ["images"], ["out"])],
        "echo",
        [onnx.helper.make_tensor_value_info("images", input_type, shape)],
        [onnx.helper.make_tensor_value_info("out", input_type, shape)],
    )
    onnx.save(onnx.helper.make_model(graph, opset_imports=[onnx.helper.make_opsetid("", 18)], ir_version=9), str(path))
    return path


def run(source: bytes, pixels: NDArray[np.uint8]) -> NDArray[np.float32]:
    session = onnxruntime.InferenceSession(source, providers=["CPUExecutionProvider"])
    outputs: list[NDArray[np.float32]] = session.run(None, {session.get_inputs()[0].name: pixels})
    return outputs[0]


def fused(file: Path, scaling: PixelScaling) -> bytes:
    content = with_pixels(str(file), scaling)
    assert content is not None
    return content


@pytest.mark.parametrize(
    "scaling",
    [
        PixelScaling(rgb=True, scale=(1 / 255,) * 3),
        PixelScaling(rgb=False, scale=(1.0,) * 3),
        PixelScaling(rgb=False, scale=(1.0, 2.0, 3.0), offset=(1.0, 0.0, -1.0)),
        IMAGENET,
    ],
    ids=["yolo", "yolox", "blue green red", "imagenet"],
)
def test_bytes_become_what_the_scaling_says(tmp_path: Path, scaling: PixelScaling) -> None:
    pixels = RNG.integers(0, 256, (2, 5, 7, 3), np.uint8)
    channels = pixels[..., ::-1] if scaling.rgb else pixels
    expected = (channels * np.array(scaling.scale, np.float32) + np.array(scaling.offset, np.float32)).transpose(
        0, 3, 1, 2
    )
    found = run(fused(echo(tmp_path / "m.onnx"), scaling), pixels)
    np.testing.assert_allclose(found, expected, atol=1e-5)


def test_a_model_in_half_precision_gets_half_precision(tmp_path: Path) -> None:
    pixels = RNG.integers(0, 256, (1, 4, 4, 3), np.uint8)
    found = run(fused(echo(tmp_path / "m.onnx", TensorProto.FLOAT16), PixelScaling(True, (1 / 255,) * 3)), pixels)
    assert found.dtype == np.float16
    np.testing.assert_allclose(found, pixels[..., ::-1].transpose(0, 3, 1, 2) / 255, atol=1e-3)


def test_sizes_that_are_fixed_stay_fixed(tmp_path: Path) -> None:
    file = write_model(tmp_path / "m.onnx", OUTPUT, batch=2)
    session = onnxruntime.InferenceSession(fused(file, PixelScaling(True, (1.0,) * 3)))
    assert session.get_inputs()[0].shape == [2, SIDE, SIDE, 3]


def test_metadata_is_kept(tmp_path: Path) -> None:
    file = write_model(tmp_path / "m.onnx", OUTPUT, metadata={"names": "{0: 'a'}"})
    session = onnxruntime.InferenceSession(fused(file, PixelScaling(True, (1.0,) * 3)))
    assert session.get_modelmeta().custom_metadata_map == {"names": "{0: 'a'}"}


@pytest.mark.parametrize(("name", "letterbox"), [
    ("yolov8n", Letterbox(640, 640)),
    ("yolox_nano", Letterbox(416, 416, centered=False, rgb=False, scale=1.0)),
])  # fmt: skip
def test_a_real_detector_says_the_same_of_bytes(shared_data: Path, name: str, letterbox: Letterbox) -> None:
    file = shared_data / "models" / f"{name}.onnx"
    image = RNG.integers(0, 256, (432, 768, 3), np.uint8)
    floats, pixels = InputBuffer(letterbox, 1), PixelBuffer(letterbox, 1)
    for buffer in (floats, pixels):
        buffer.write(0, image, (768, 432))
    scaling = PixelScaling(letterbox.rgb, (letterbox.scale,) * 3)
    plain = onnxruntime.InferenceSession(str(file)).run(None, {"images": floats.batch})[0]
    # The runtime folds the scale into the first layer's weights, which rounds otherwise.
    np.testing.assert_allclose(run(fused(file, scaling), pixels.batch), plain, rtol=1e-4, atol=2e-3)


def test_on_the_cpu_a_model_takes_floats(tmp_path: Path) -> None:
    model = OnnxModel(write_model(tmp_path / "m.onnx", OUTPUT), device="cpu")
    assert not fuse_pixels(model, IMAGENET)


def test_a_slot_that_held_a_picture_of_another_shape_has_fresh_padding() -> None:
    letterbox = Letterbox(32, 32)
    buffer, fresh = PixelBuffer(letterbox, 2), PixelBuffer(letterbox, 2)
    wide, tall = np.full((8, 32, 3), 7, np.uint8), np.full((64, 16, 3), 9, np.uint8)
    for image in (wide, tall, wide):
        buffer.write(1, image, (image.shape[1], image.shape[0]))
    fresh.write(1, wide, (32, 8))
    assert np.array_equal(buffer.batch, fresh.batch)
    assert set(np.unique(buffer.batch[1])) == {7, 114}
    assert set(np.unique(buffer.batch[0])) == {114}
