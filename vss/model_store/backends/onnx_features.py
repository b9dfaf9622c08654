"""Adds what a layer of an ONNX model puts out to the model's outputs: an embedding of each picture."""

from __future__ import annotations

import difflib
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Final

from vss.errors import ConfigError, ModelCorrupt

POOLED: Final = "pooled"
_OUTPUT: Final = "vss_features"
_LAST_LAYERS: Final = {"Gemm", "MatMul", "Conv"}
# What may stand between a classifier's last layer and its output: shapes, types, biases, probabilities, quantisation.
_PASSED: Final = {
    "Add", "AveragePool", "Cast", "DequantizeLinear", "Dropout", "Flatten", "GlobalAveragePool", "Identity",
    "LogSoftmax", "Mul", "QuantizeLinear", "ReduceMean", "Reshape", "Sigmoid", "Softmax", "Squeeze", "Unsqueeze",
}  # fmt: skip
_ACTIVATIONS: Final = {"Clip", "Elu", "Gelu", "HardSwish", "LeakyRelu", "Mish", "PRelu", "Relu", "Selu"}
_GATES: Final = {"Sigmoid", "HardSigmoid"}
_OF_WEIGHTS: Final = {"Cast", "DequantizeLinear", "Identity"}
_NEAREST: Final = 3


def with_features(file: Path, layer: str) -> bytes:
    """The model with what a layer puts out as its last output; the file stays as it is.

    Args:
        file: The ONNX file.
        layer: Name of a tensor or of a node, or `pooled`: what a classifier's last layer sees; of another model its
            deepest feature map, the last of those with the most channels.

    Raises:
        ConfigError: The package `onnx` is missing, or the model has no such layer; names the nearest.
        ModelCorrupt: It is no ONNX model.
    """
    try:
        import onnx
    except ImportError as error:
        raise ConfigError("--features needs the package onnx", fix="pip install 'vss-fleet[features]'") from error
    try:
        model = onnx.load(str(file))
    except Exception as error:  # protobuf's errors are none of a class that says so
        raise ModelCorrupt(
            f"{file} is no ONNX model that can be loaded: {error}", fix="export the model again"
        ) from error
    graph = _Graph(model.graph)
    tensor = graph.pooled() if layer == POOLED else graph.tensor(layer)
    _move_last(onnx, model.graph, tensor)
    try:
        content: bytes = model.SerializeToString()
    except ValueError as error:  # a message of protobuf ends at 2 GiB
        raise ConfigError(f"features: {file.name} is too large to be changed in memory: {error}") from error
    return content


def _move_last(onnx: Any, graph: Any, tensor: str) -> None:
    outputs = [output.name for output in graph.output]
    if tensor in outputs and len(outputs) > 1:
        # A model that puts out its embedding beside its answer.
        moved = graph.output[outputs.index(tensor)]
        kept = [output for output in graph.output if output.name != tensor]
        copies = [onnx.ValueInfoProto.FromString(one.SerializeToString()) for one in (*kept, moved)]
        del graph.output[:]
        graph.output.extend(copies)
        return
    graph.node.append(onnx.helper.make_node("Identity", [tensor], [_OUTPUT]))
    # Without a type: the runtime infers it, whatever the layer is.
    graph.output.append(onnx.ValueInfoProto(name=_OUTPUT))


class _Graph:
    """Finds tensors in a graph."""

    def __init__(self, graph: Any) -> None:
        self._nodes: list[Any] = list(graph.node)
        self._outputs = [output.name for output in graph.output]
        self._made_by: Mapping[str, Any] = {name: node for node in self._nodes for name in node.output if name}
        self._shapes: dict[str, tuple[int, ...]] = {one.name: tuple(one.dims) for one in graph.initializer}
        self._constants = {
            *self._shapes,
            *(name for node in self._nodes if node.op_type == "Constant" for name in node.output),
        }

    def tensor(self, layer: str) -> str:
        """What a tensor or node of that name puts out.

        Raises:
            ConfigError: There is none.
        """
        if layer in self._made_by:
            return layer
        by_node = {node.name: node.output[0] for node in self._nodes if node.name}
        if layer in by_node:
            found: str = by_node[layer]
            return found
        near = difflib.get_close_matches(layer, [*by_node, *self._made_by], n=_NEAREST, cutoff=0.0)
        raise ConfigError(f"features: the model has no layer {layer!r}", fix=f"did you mean {', '.join(near)}?")

    def pooled(self) -> str:
        """What the last layer sees, else the deepest feature map.

        Raises:
            ConfigError: The model has neither.
        """
        tensor = self._outputs[0]
        while (node := self._made_by.get(tensor)) is not None:
            learned = [name for name in node.input if self._is_constant(name)]
            if node.op_type in _LAST_LAYERS and learned and not self._is_constant(node.input[0]):
                seen: str = node.input[0]
                return seen
            rest = [name for name in node.input if name and not self._is_constant(name)]
            if node.op_type not in _PASSED or not rest:
                break
            # Of a bias or factor that is computed, the first input is the layer's.
            tensor = rest[0]
        return self._deepest()

    def _deepest(self) -> str:
        channels = {
            node.output[0]: self._shapes[node.input[1]][0]
            for node in self._nodes
            if node.op_type == "Conv" and node.input[1] in self._shapes
        }
        if not channels:
            raise ConfigError(
                "features: the model has no last layer and no feature map that can be told",
                fix="name a layer with --features; tools such as Netron show their names",
            )
        most = max(channels.values())
        return self._activated([name for name, count in channels.items() if count == most][-1])

    def _activated(self, tensor: str) -> str:
        """A convolution's output behind its normalisation and activation."""
        while True:
            users = [node for node in self._nodes if tensor in node.input]
            gates = {name for node in users if node.op_type in _GATES for name in node.output}
            follows = [
                node.output[0]
                for node in users
                if node.op_type == "BatchNormalization"
                or node.op_type in _ACTIVATIONS
                or (node.op_type == "Mul" and gates & set(node.input))
            ]
            if not follows:
                return tensor
            tensor = follows[0]

    def _is_constant(self, name: str) -> bool:
        if name in self._constants:
            return True
        # Weights of a quantised model, or stored in half precision.
        node = self._made_by.get(name)
        return node is not None and node.op_type in _OF_WEIGHTS and self._is_constant(node.input[0])
