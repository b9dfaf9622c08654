"""Puts the scaling of pictures in front of an ONNX model."""

from __future__ import annotations

from pathlib import Path
from typing import Any, Final

import numpy as np

from vss.model_store.backends.pixels import PixelScaling

_NAME: Final = "vss_pixels"
_CHANNELS: Final = 3


def with_pixels(source: str | bytes, scaling: PixelScaling) -> bytes | None:
    """A model that takes uint8 of shape (batch, height, width, 3), blue, green, red, instead of its own input.

    Args:
        source: Path of an ONNX file whose one input is a batch of pictures (batch, 3, height, width), or its content.
        scaling: What becomes of the bytes.

    Returns:
        An ONNX file's content; None where the package `onnx` is not installed, or the model is too large for one file.
    """
    try:
        import onnx
    except ImportError:
        return None
    model = onnx.load_model_from_string(source) if isinstance(source, bytes) else onnx.load(str(Path(source)))
    constants = {initializer.name for initializer in model.graph.initializer}
    input_ = next(value for value in model.graph.input if value.name not in constants)
    nodes, values = _prefix(input_, scaling)
    pixels = _pixels(input_)
    model.graph.input.remove(input_)
    model.graph.input.insert(0, pixels)
    model.graph.initializer.extend(values)
    body = list(model.graph.node)
    del model.graph.node[:]
    model.graph.node.extend([*nodes, *body])
    try:
        content: bytes = model.SerializeToString()
    except ValueError:  # protobuf's limit is 2 GiB
        return None
    return content


def _pixels(input_: Any) -> Any:
    """The new input: the old one's sizes, channels last."""
    from onnx import TensorProto, helper

    batch, _, height, width = input_.type.tensor_type.shape.dim
    value = helper.make_tensor_value_info(_NAME, TensorProto.UINT8, [None, None, None, _CHANNELS])
    for target, dim in zip(value.type.tensor_type.shape.dim, (batch, height, width), strict=False):
        target.CopyFrom(dim)
    return value


def _prefix(input_: Any, scaling: PixelScaling) -> tuple[list[Any], list[Any]]:
    """Nodes from the new input to the old one's name, and their constants. What moves bytes comes first."""
    from onnx import TensorProto, helper, numpy_helper

    nodes: list[Any] = []
    constants: list[Any] = []
    last = _NAME

    def add(operator: str, *constant: np.ndarray[Any, Any], **attributes: Any) -> None:
        nonlocal last
        names = [f"{_NAME}_{operator.lower()}_{i}" for i in range(len(constant))]
        constants.extend(numpy_helper.from_array(value, name) for name, value in zip(names, constant, strict=True))
        output = f"{_NAME}_{operator.lower()}_{len(nodes)}_out"
        nodes.append(helper.make_node(operator, [last, *names], [output], name=f"{_NAME}_{len(nodes)}", **attributes))
        last = output

    add("Transpose", perm=[0, 3, 1, 2])
    if scaling.rgb:
        add("Gather", np.array([2, 1, 0], np.int64), axis=1)
    add("Cast", to=TensorProto.FLOAT)
    if set(scaling.scale) != {1.0}:
        add("Mul", np.array(scaling.scale, np.float32).reshape(1, _CHANNELS, 1, 1))
    if set(scaling.offset) != {0.0}:
        add("Add", np.array(scaling.offset, np.float32).reshape(1, _CHANNELS, 1, 1))
    if (own := input_.type.tensor_type.elem_type) != TensorProto.FLOAT:
        add("Cast", to=own)
    nodes[-1].output[0] = input_.name
    return nodes, constants
