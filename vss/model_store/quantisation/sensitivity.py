"""Which layers lose most when they are quantised: each alone, by the error at the ends of the model."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from vss.model_store.quantisation.activations import Activations
from vss.model_store.quantisation.graph import Graph
from vss.model_store.quantisation.recipe import Recipe
from vss.model_store.quantisation.rewrite import quantise
from vss.model_store.quantisation.session import open_session

if TYPE_CHECKING:
    from onnx import ModelProto


def rank_layers(
    graph: Graph,
    activations: Activations,
    recipe: Recipe,
    inputs: Sequence[NDArray[np.float32]],
    on_layer: Callable[[], None],
) -> list[tuple[str, float]]:
    """Quantises one layer at a time.

    Args:
        graph: The model.
        activations: What its ranges are chosen from.
        recipe: How each layer is quantised.
        inputs: Of the model; a few will do.
        on_layer: Called after each.

    Returns:
        Layers and the energy of their error at the model's heads, as a share of the signal's; the worst first.
    """
    ends = [node.output[0] for node in graph.layers if node.name in graph.heads]
    reference = _run(graph.model, ends, inputs)
    names = [layer.name for layer in graph.layers]
    errors = {}
    for name in names:
        found = _run(quantise(graph, activations, recipe, only=name), ends, inputs)
        errors[name] = float(np.mean([_share(ours, theirs) for ours, theirs in zip(found, reference, strict=True)]))
        on_layer()
    return sorted(errors.items(), key=lambda item: -item[1])


def _run(model: ModelProto, ends: Sequence[str], inputs: Sequence[NDArray[np.float32]]) -> list[NDArray[Any]]:
    from onnx import helper

    shown = type(model)()
    shown.CopyFrom(model)
    known = {one.name for one in shown.graph.output}
    shown.graph.output.extend(helper.make_empty_tensor_value_info(name) for name in ends if name not in known)
    session = open_session(shown)
    name = session.get_inputs()[0].name
    return [output for one in inputs for output in session.run(list(ends), {name: one})]


def _share(ours: NDArray[Any], theirs: NDArray[Any]) -> float:
    energy = float(np.square(theirs, dtype=np.float64).sum())
    return float(np.square(np.subtract(ours, theirs, dtype=np.float64)).sum()) / max(energy, 1e-30)
