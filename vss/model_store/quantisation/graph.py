"""A model's graph, made ready: batch norms folded, shapes known, and what of it is worth 8 bits."""

from __future__ import annotations

import tempfile
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import numpy as np
from numpy.typing import NDArray

from vss.errors import ConfigError, ModelCorrupt, ModelUnsupported

if TYPE_CHECKING:
    from onnx import ModelProto, NodeProto

WEIGHTED: Final = frozenset({"Conv", "Gemm", "MatMul"})
# Fewer weights than this are no layer that was trained, such as the fixed sum at the end of YOLOv8's boxes.
_FEWEST_WEIGHTS: Final = 64
_PREPARED_OPSET: Final = 13  # the first in which 8-bit scales may differ by channel


@dataclass(frozen=True)
class Graph:
    """A model that is ready to be measured and rewritten.

    Attributes:
        model: With batch norms folded, constants in place and the shapes of all tensors known.
    """

    model: ModelProto

    @cached_property
    def weights(self) -> Mapping[str, NDArray[np.float32]]:
        """Constant tensors of real numbers, by name."""
        from onnx import TensorProto, numpy_helper

        constants = (i for i in self.model.graph.initializer if i.data_type == TensorProto.FLOAT)
        return {one.name: numpy_helper.to_array(one) for one in constants}

    @cached_property
    def layers(self) -> tuple[NodeProto, ...]:
        """Convolutions and matrix products with weights of their own, from the input to the outputs."""
        return tuple(node for node in self.model.graph.node if self._is_layer(node))

    @cached_property
    def body(self) -> tuple[NodeProto, ...]:
        """The layers and all that one of them follows.

        What comes after the last ones puts different units into one tensor, pixels beside scores, and 256 steps cannot
        hold both.
        """
        layers = {node.name for node in self.layers}
        wanted: set[str] = set()
        kept = []
        for node in reversed(self.model.graph.node):
            if node.name in layers or wanted.intersection(node.output):
                kept.append(node)
                wanted.update(node.input)
        return tuple(reversed(kept))

    @cached_property
    def heads(self) -> tuple[str, ...]:
        """Names of the layers that no other layer follows: their errors reach the outputs as they are."""
        layers = {node.name for node in self.layers}
        followed: set[str] = set()
        heads = []
        for node in reversed(self.model.graph.node):
            is_followed = bool(followed.intersection(node.output))
            if node.name in layers and not is_followed:
                heads.append(node.name)
            if node.name in layers or is_followed:
                followed.update(node.input)
        return tuple(reversed(heads))

    @cached_property
    def tensors(self) -> tuple[str, ...]:
        """Real-valued tensors that the body reads or writes."""
        from onnx import TensorProto

        real = {one.name for one in self._described() if one.type.tensor_type.elem_type == TensorProto.FLOAT}
        names = dict.fromkeys(name for node in self.body for name in (*node.input, *node.output))
        return tuple(name for name in names if name in real)

    def _described(self) -> Iterable[Any]:
        graph = self.model.graph
        return (*graph.input, *graph.value_info, *graph.output)

    def _is_layer(self, node: NodeProto) -> bool:
        if node.op_type not in WEIGHTED or len(node.input) < 2:
            return False
        weights = self.weights.get(node.input[1])
        return weights is not None and weights.size >= _FEWEST_WEIGHTS


def prepare(file: Path) -> Graph:
    """Reads a model and makes it ready.

    Raises:
        ConfigError: `onnx` is not installed.
        ModelCorrupt: The file is no ONNX model.
        ModelUnsupported: It is one of PyTorch, is quantised already, or has no layer to quantise.
    """
    onnx = _onnx()
    if file.suffix != ".onnx":
        raise ModelUnsupported(f"{file} is no ONNX model", fix="export it first: vss models export")
    try:
        original = onnx.load(str(file))
    except Exception as error:  # protobuf's and onnx's errors share no class but this
        raise ModelCorrupt(f"{file} is no ONNX model that can be read: {error}", fix="export it again") from error
    if any("Quantize" in node.op_type or node.op_type.startswith("QLinear") for node in original.graph.node):
        raise ModelUnsupported(f"{file} is quantised already", fix="give the model it was made from")
    graph = Graph(_preprocessed(original, file))
    if not graph.layers:
        raise ModelUnsupported(
            f"{file} has no convolution or matrix product with 32-bit weights of its own",
            fix="give a model in fp32, exported with its weights inside",
        )
    return graph


def _preprocessed(original: ModelProto, file: Path) -> ModelProto:
    onnx = _onnx()
    from onnxruntime.quantization import quant_pre_process

    with tempfile.TemporaryDirectory(prefix="vss-quantise-") as folder:
        ready = Path(folder) / "ready.onnx"
        try:
            if _opset(original) < _PREPARED_OPSET:
                original = onnx.version_converter.convert_version(original, _PREPARED_OPSET)
            onnx.save(original, str(Path(folder) / "original.onnx"))
            quant_pre_process(str(Path(folder) / "original.onnx"), str(ready), skip_symbolic_shape=True)
            model: ModelProto = onnx.load(str(ready))
        except Exception as error:  # as above
            raise ModelUnsupported(
                f"{file} cannot be made ready: {type(error).__name__}: {str(error)[:300]}",
                fix="export it with opset 13 or higher",
            ) from error
    for i, node in enumerate(model.graph.node):
        node.name = node.name or f"{node.op_type}_{i}"
    # What the exporter wrote (class names among it) is the runtime's to keep or not.
    known = {entry.key for entry in model.metadata_props}
    model.metadata_props.extend(entry for entry in original.metadata_props if entry.key not in known)
    return model


def _opset(model: ModelProto) -> int:
    return max((one.version for one in model.opset_import if one.domain in ("", "ai.onnx")), default=1)


def _onnx() -> Any:
    try:
        import onnx
        import onnx.version_converter
    except ImportError as error:
        raise ConfigError("onnx is not installed", fix="pip install 'vss-fleet[quantize]'") from error
    return onnx
