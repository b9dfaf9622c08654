"""Writes `brightness.onnx` and the manifest that belongs to it, `brightness.yaml`, into a folder."""

from __future__ import annotations

import sys
from pathlib import Path

import numpy as np
import onnx
from onnx import TensorProto, helper, numpy_helper

MANIFEST = """\
task: brightness
# Anything under `options` is for the task alone.
options: {dark_below: 0.2}
"""


def make_model(folder: Path) -> Path:
    """A network of no layers: mean and standard deviation of the luminance, shape (batch, 2).

    Args:
        folder: Where both files go.
    """
    nodes = [
        # ITU-R BT.601's luminance.
        helper.make_node("Conv", ["images", "luma"], ["grey"]),
        helper.make_node("ReduceMean", ["grey", "pixels"], ["mean4"], keepdims=1),
        helper.make_node("Sub", ["grey", "mean4"], ["away"]),
        helper.make_node("Mul", ["away", "away"], ["square"]),
        helper.make_node("ReduceMean", ["square", "pixels"], ["variance4"], keepdims=1),
        helper.make_node("Sqrt", ["variance4"], ["deviation4"]),
        helper.make_node("Concat", ["mean4", "deviation4"], ["both"], axis=1),
        helper.make_node("Flatten", ["both"], ["measures"]),
    ]
    constants = [
        numpy_helper.from_array(np.array([0.299, 0.587, 0.114], np.float32).reshape(1, 3, 1, 1), "luma"),
        numpy_helper.from_array(np.array([2, 3], np.int64), "pixels"),
    ]
    graph = helper.make_graph(
        nodes,
        "brightness",
        [helper.make_tensor_value_info("images", TensorProto.FLOAT, ["batch", 3, 64, 64])],
        [helper.make_tensor_value_info("measures", TensorProto.FLOAT, ["batch", 2])],
        constants,
    )
    file = folder / "brightness.onnx"
    onnx.save(helper.make_model(graph, opset_imports=[helper.make_opsetid("", 18)], ir_version=9), str(file))
    file.with_suffix(".yaml").write_text(MANIFEST)
    return file


if __name__ == "__main__":
    print(make_model(Path(sys.argv[1] if len(sys.argv) > 1 else ".")))
