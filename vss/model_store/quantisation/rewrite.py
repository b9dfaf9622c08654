"""A model in 8 bits, by one recipe."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, Final

import numpy as np
from numpy.typing import NDArray

from vss.model_store.quantisation.activations import Activations
from vss.model_store.quantisation.graph import Graph
from vss.model_store.quantisation.recipe import Recipe
from vss.model_store.quantisation.weights import choose_scales, on_grid

if TYPE_CHECKING:
    from onnx import ModelProto, NodeProto

# x · sigmoid(x) is within 0.015 of 0 below this: steps spent on what lies lower are lost to what lies above.
_SILU_FLOOR: Final = -6.0
_LOOKED_THROUGH: Final = frozenset({"Relu", "Clip"})


def quantise(graph: Graph, activations: Activations, recipe: Recipe, *, only: str | None = None) -> ModelProto:
    """Rewrites a model: activations in unsigned 8 bits, weights in signed ones with a scale for each channel.

    Both are written as pairs of QuantizeLinear and DequantizeLinear, which ONNX Runtime turns into integer kernels when
    it loads the model.

    Args:
        graph: The model.
        activations: What its ranges are chosen from.
        recipe: How.
        only: Name of the one layer to quantise; None quantises what the recipe says.
    """
    from onnxruntime.quantization import CalibrationMethod, QDQQuantizer, QuantType, TensorsData

    model = type(graph.model)()
    model.CopyFrom(graph.model)
    layers = {node.name for node in graph.layers}
    left = _keep(model, graph, recipe.kept)
    wanted = [n.name for n in graph.body if n.name not in left and (recipe.scope == "body" or n.name in layers)]
    chosen = wanted if only is None else [only]
    overrides = _round_weights(model, graph, activations, recipe, set(chosen))
    ranges = dict(activations.ranges(recipe.ranges))
    for name in _silu_inputs(graph):
        low, high = ranges[name]
        ranges[name] = (max(low, _SILU_FLOOR), high)
    quantizer = QDQQuantizer(
        model,
        True,  # a scale for each channel
        False,
        QuantType.QInt8,
        QuantType.QUInt8,
        TensorsData(
            CalibrationMethod.MinMax, {n: (np.float32(low), np.float32(high)) for n, (low, high) in ranges.items()}
        ),
        chosen,
        [],
        sorted({node.op_type for node in graph.body}),
        {"TensorQuantOverrides": overrides, "WeightSymmetric": True},
    )
    quantizer.quantize_model()
    quantised: ModelProto = quantizer.model.model
    return quantised


def _round_weights(
    model: ModelProto, graph: Graph, activations: Activations, recipe: Recipe, chosen: set[str]
) -> dict[str, list[dict[str, Any]]]:
    """Puts the weights of the layers to be quantised on their grids; returns the scales as the quantiser wants them."""
    from onnx import numpy_helper
    from onnxruntime.quantization import QuantType

    constants = {one.name: one for one in model.graph.initializer}
    overrides: dict[str, list[dict[str, Any]]] = {}
    for layer in graph.layers:
        name, axis = layer.input[1], _output_axis(layer)
        if layer.name not in chosen or name in overrides:
            continue
        weights = np.moveaxis(graph.weights[name], axis, 0)
        scales = choose_scales(weights, recipe.weights)
        rounded = on_grid(weights, scales)
        constants[name].CopyFrom(numpy_helper.from_array(np.ascontiguousarray(np.moveaxis(rounded, 0, axis)), name))
        overrides[name] = [
            {"axis": axis, "quant_type": QuantType.QInt8, "scale": scale, "zero_point": np.int8(0)} for scale in scales
        ]
        mean = activations.means.get(layer.input[0])
        if recipe.corrected and mean is not None and len(layer.input) > 2:
            bias = constants[layer.input[2]]
            shift = _mean_error(layer, rounded - weights, mean)
            bias.CopyFrom(numpy_helper.from_array((numpy_helper.to_array(bias) - shift).astype(np.float32), bias.name))
    return overrides


def _keep(model: ModelProto, graph: Graph, kept: Sequence[str]) -> set[str]:
    """Sees to it that layers stay in fp32; returns the names of what must not be quantised.

    A layer between 8 bits on both sides would not stay as it is: ONNX Runtime quantises its weights when it loads the
    model (its `WeightBiasQuantization`), all channels with one scale. So what reads the layer's output stays in fp32 as
    well, which is good for an activation function anyway; and where that is a ReLU, through which the runtime looks, or
    another layer, an operator that does nothing stands between.
    """
    left = set(kept)
    guarded: set[str] = set()
    layers = {node.name for node in graph.layers}
    outputs = {name for node in graph.layers if node.name in left for name in node.output}
    for node in graph.body:
        for name in outputs.intersection(node.input):
            if node.name not in layers:
                left.add(node.name)
            if node.name in layers or node.op_type in _LOOKED_THROUGH:
                guarded.add(name)
    if guarded:
        _guard(model, guarded)
    return left


def _guard(model: ModelProto, tensors: set[str]) -> None:
    """Puts max(x, the smallest number there is) behind what computes each tensor."""
    from onnx import helper, numpy_helper

    smallest = numpy_helper.from_array(np.array(np.finfo(np.float32).min), "vss_smallest")
    model.graph.initializer.append(smallest)
    nodes = list(model.graph.node)
    for i, node in reversed(list(enumerate(nodes))):
        for place, name in enumerate(node.output):
            if name in tensors:
                node.output[place] = f"{name}.unguarded"
                guard = helper.make_node("Max", [f"{name}.unguarded", smallest.name], [name], f"{node.name}.guard")
                nodes.insert(i + 1, guard)
    del model.graph.node[:]
    model.graph.node.extend(nodes)


def _output_axis(layer: NodeProto) -> int:
    """The axis of a layer's weights that counts its outputs."""
    if layer.op_type == "Conv":
        return 0
    return 0 if any(one.name == "transB" and one.i for one in layer.attribute) else 1


def _mean_error(layer: NodeProto, error: NDArray[np.float32], mean: NDArray[np.float64]) -> NDArray[np.float64]:
    """What an error of the weights adds to each channel of a convolution on average; shape (outputs,).

    Nagel et al. 2019, "Data-Free Quantization Through Weight Equalization and Bias Correction", section 4.2.

    Args:
        layer: The convolution.
        error: Of its weights, shape (outputs, inputs of a group, ...).
        mean: Of each channel of its input.
    """
    groups = next((one.i for one in layer.attribute if one.name == "group"), 1)
    by_input = error.reshape(*error.shape[:2], -1).sum(axis=2, dtype=np.float64)
    means = np.repeat(mean.reshape(groups, -1), len(error) // groups, axis=0)
    total: NDArray[np.float64] = (by_input * means).sum(axis=1)
    return total


def _silu_inputs(graph: Graph) -> list[str]:
    """Tensors x of which nothing but x · sigmoid(x) is used."""
    users: dict[str, list[NodeProto]] = {}
    for node in graph.model.graph.node:
        for name in node.input:
            users.setdefault(name, []).append(node)
    found = []
    for node in graph.body:
        if node.op_type != "Sigmoid" or len(users.get(node.input[0], ())) != 2:
            continue
        other = next((one for one in users[node.input[0]] if one is not node), None)
        if other is not None and other.op_type == "Mul" and set(other.input) == {node.input[0], node.output[0]}:
            found.append(node.input[0])
    return found
