"""A model exported for one picture, made to take any number."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any, Final

import numpy as np

from vss.model_store.backends.onnx import OnnxModel
from vss.model_store.layout import ONNX_SUFFIX
from vss.model_store.resolve import ModelRef

_BATCH: Final = "batch"
_SIDE: Final = 640
# Of boxes in pixels, summed in another order.
_TOLERANCE: Final = 1e-2


def with_any_batch(ref: ModelRef, folder: Path) -> ModelRef:
    """The model with an open batch axis, if it then says of two pictures what it says of each; else as it is.

    Exporters fix the batch in the input, and as the leading 1 of what tensors are reshaped to.

    Args:
        ref: An ONNX model whose one input has the batch first.
        folder: Where the changed file is written.

    Raises:
        ModelError: It cannot be loaded.
    """
    if ref.file.suffix.lower() != ONNX_SUFFIX:
        return ref
    own = OnnxModel(ref.file, device="cpu")
    try:
        if own.input_shape[:1] != (1,):
            return ref
        target = folder / ref.file.name
        _write_open(ref.file, target)
        picture = tuple(n or _SIDE for n in own.input_shape[1:])
        return replace(ref, file=target) if _says_the_same(own, target, picture) else ref
    finally:
        own.close()


def _write_open(file: Path, target: Path) -> None:
    import onnx

    model = onnx.load(str(file))
    constants = {initializer.name: initializer for initializer in model.graph.initializer}
    for value in (*model.graph.input, *model.graph.output):
        if value.name not in constants and value.type.tensor_type.shape.dim:
            value.type.tensor_type.shape.dim[0].dim_param = _BATCH
    del model.graph.value_info[:]
    made = {node.output[0]: node for node in model.graph.node if node.op_type == "Constant"}
    for node in model.graph.node:
        # Weights that are reshaped have no batch.
        if node.op_type == "Reshape" and node.input[0] not in constants and node.input[0] not in made:
            _open_shape(constants.get(node.input[1]), made.get(node.input[1]))
    onnx.save(model, str(target))


def _open_shape(initializer: Any | None, constant: Any | None) -> None:
    """Lets a reshape take the batch from what it reshapes."""
    from onnx import numpy_helper

    tensor = initializer if initializer is not None else (constant.attribute[0].t if constant is not None else None)
    if tensor is None:
        return
    shape = numpy_helper.to_array(tensor).copy()
    if shape.size > 1 and shape[0] == 1:
        shape[0] = 0
        tensor.CopyFrom(numpy_helper.from_array(shape, tensor.name))


def _says_the_same(own: OnnxModel, target: Path, picture: tuple[int, ...]) -> bool:
    pictures = np.random.default_rng(0).random((2, *picture), np.float32)
    try:
        opened = OnnxModel(target, device="cpu")
        together = opened.run(pictures)
        opened.close()
    except Exception:  # a shape was fixed elsewhere
        return False
    for i in range(2):
        for one, both in zip(own.run(pictures[i : i + 1]), together, strict=True):
            if both.shape[0] != 2 or not np.allclose(one[0], both[i], rtol=_TOLERANCE, atol=_TOLERANCE):
                return False
    return True
