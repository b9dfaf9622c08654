"""A detector that is small and predictable: how bright the picture is, is how sure it is of its one box."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from onnx import TensorProto, helper, numpy_helper, save

SIDE = 64
ANCHORS = 8 * 8 + 4 * 4 + 2 * 2
BOX_CENTRE_AND_SIZE = (32.0, 32.0, 32.0, 16.0)


def write_tiny_yolov8(
    path: Path, *, labels: tuple[str, ...] | None = ("bright", "never"), any_batch: bool = True
) -> Path:
    """Output (N, 4 + 2, 84) as YOLOv8's; class 0 scores the picture's mean brightness, padding included, 0..1."""
    boxes = np.zeros((1, 4, ANCHORS), np.float32)
    boxes[0, :, 0] = BOX_CENTRE_AND_SIZE
    scores = np.zeros((1, 2, ANCHORS), np.float32)
    scores[0, 0, 0] = 1.0
    constants: dict[str, NDArray[Any]] = {
        "boxes": boxes,
        "scores": scores,
        "zero": np.zeros(1, np.float32),
        "axes": np.array([1, 2, 3], np.int64),
        "shape": np.array([-1, 1, 1], np.int64),
    }
    nodes = [
        helper.make_node("ReduceMean", ["images", "axes"], ["mean4"], keepdims=1),
        helper.make_node("Reshape", ["mean4", "shape"], ["mean"]),
        helper.make_node("Mul", ["mean", "scores"], ["scored"]),
        helper.make_node("Mul", ["mean", "zero"], ["nothing"]),
        helper.make_node("Add", ["nothing", "boxes"], ["placed"]),
        helper.make_node("Concat", ["placed", "scored"], ["output0"], axis=1),
    ]
    batch = "batch" if any_batch else 1
    graph = helper.make_graph(
        nodes,
        "tiny",
        [helper.make_tensor_value_info("images", TensorProto.FLOAT, [batch, 3, SIDE, SIDE])],
        [helper.make_tensor_value_info("output0", TensorProto.FLOAT, [batch, 6, ANCHORS])],
        [numpy_helper.from_array(value, name) for name, value in constants.items()],
    )
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 18)], ir_version=10)
    if labels is not None:
        helper.set_model_props(model, {"names": str(dict(enumerate(labels)))})
    path.parent.mkdir(parents=True, exist_ok=True)
    save(model, str(path))
    return path
