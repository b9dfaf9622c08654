"""Detectors of a few bytes, made where a test needs them: their output is what the test says."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import onnx
from numpy.typing import NDArray
from onnx import TensorProto, helper, numpy_helper

from vss.config import ModelSettings
from vss.model_store.manifest import Manifest
from vss.model_store.resolve import ModelRef
from vss.model_store.runner.runner import Runner

SIDE = 64
CELLS = 8 * 8 + 4 * 4 + 2 * 2
"""Of an input of 64×64, over strides of 8, 16 and 32."""


def write_model(
    path: Path,
    output: NDArray[np.float32],
    *,
    brightness: NDArray[np.float32] | None = None,
    batch: int | str = "batch",
    input_shape: tuple[int | str, ...] = (3, SIDE, SIDE),
    input_type: int = TensorProto.FLOAT,
    metadata: dict[str, str] | None = None,
    one_at_a_time: bool = False,
    outputs: int = 1,
) -> Path:
    """A model whose output is `output + brightness · mean(input)` for each image.

    Args:
        path: Where it is written.
        output: Shape (rows, columns).
        brightness: Shape (rows, columns); zeros by default.
        batch: A number, or a name for any.
        input_shape: Behind the batch.
        input_type: Element type.
        metadata: As an exporter would write it.
        one_at_a_time: The graph claims any batch and fails with more than one image.
        outputs: How many times the output is given out.
    """
    if brightness is None:
        brightness = np.zeros_like(output)
    axes = list(range(1, 1 + len(input_shape)))
    nodes = [
        helper.make_node("Cast", ["images"], ["floats"], to=TensorProto.FLOAT),
        helper.make_node("ReduceMean", ["floats", "axes"], ["flat"], keepdims=0),
        helper.make_node("Unsqueeze", ["flat", "behind"], ["mean"]),
        helper.make_node("Mul", ["mean", "brightness"], ["part"]),
        helper.make_node("Add", ["part", "constant"], ["sum"]),
    ]
    constants = [
        numpy_helper.from_array(np.array(axes, np.int64), "axes"),
        numpy_helper.from_array(np.array([1, 2], np.int64), "behind"),
        numpy_helper.from_array(brightness[None].astype(np.float32), "brightness"),
        numpy_helper.from_array(output[None].astype(np.float32), "constant"),
    ]
    if one_at_a_time:
        constants.append(numpy_helper.from_array(np.array([1, *output.shape], np.int64), "one"))
        nodes.append(helper.make_node("Reshape", ["sum", "one"], ["output0"]))
    else:
        nodes.append(helper.make_node("Identity", ["sum"], ["output0"]))
    nodes += [helper.make_node("Identity", ["sum"], [f"output{i}"]) for i in range(1, outputs)]
    graph = helper.make_graph(
        nodes,
        "tiny",
        [helper.make_tensor_value_info("images", input_type, [batch, *input_shape])],
        [helper.make_tensor_value_info(f"output{i}", TensorProto.FLOAT, None) for i in range(outputs)],
        constants,
    )
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 18)], ir_version=9)
    helper.set_model_props(model, metadata or {})
    onnx.save(model, str(path))
    return path


def yolov8_output(*boxes: tuple[float, float, float, float, int, float], classes: int = 2) -> NDArray[np.float32]:
    """Shape (4 + classes, cells), from centre x, centre y, width, height, class id, score."""
    output = np.zeros((4 + classes, CELLS), np.float32)
    for i, (x, y, width, height, class_id, score) in enumerate(boxes):
        output[:4, i] = x, y, width, height
        output[4 + class_id, i] = score
    return output


def load(path: Path, manifest: Manifest | None = None, **settings: object) -> Runner[Any]:
    """The detector of a file."""
    ref = ModelRef("tiny", "1", path, manifest if manifest is not None else Manifest())
    return Runner.load(ref, ModelSettings.model_validate({"threads": 2, "device": "cpu"} | settings))
