"""What flows through a model on the pictures it is calibrated with."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from vss.model_store.quantisation.graph import Graph
from vss.model_store.quantisation.histogram import Histogram
from vss.model_store.quantisation.ranges import Range, RangeMethod, choose_range


@dataclass(frozen=True)
class Activations:
    """What was seen.

    Attributes:
        histograms: Of each tensor of the body, by its name.
        means: Of each channel of the layers' inputs, by the tensor's name; shape (channels,).
    """

    histograms: Mapping[str, Histogram]
    means: Mapping[str, NDArray[np.float64]]
    _chosen: dict[RangeMethod, Mapping[str, Range]] = field(default_factory=dict, init=False)

    def ranges(self, method: RangeMethod) -> Mapping[str, Range]:
        """The range of each tensor, by its name. Searched once: a model is rewritten dozens of times."""
        if method not in self._chosen:
            self._chosen[method] = {name: choose_range(one, method) for name, one in self.histograms.items()}
        return self._chosen[method]


def observe(graph: Graph, batches: Iterable[NDArray[np.float32]], on_batch: Callable[[], None]) -> Activations:
    """Runs a model and looks at all that its body computes.

    Args:
        graph: The model.
        batches: Inputs, as the task makes them.
        on_batch: Called after each.
    """
    from onnx import helper

    from vss.model_store.quantisation.session import open_session

    shown = type(graph.model)()
    shown.CopyFrom(graph.model)
    known = {one.name for one in (*shown.graph.output, *shown.graph.input)}
    shown.graph.output.extend(helper.make_empty_tensor_value_info(n) for n in graph.tensors if n not in known)
    session = open_session(shown)
    input_name = session.get_inputs()[0].name
    names = [name for name in graph.tensors if name != input_name]
    histograms = {name: Histogram() for name in graph.tensors}
    sums: dict[str, NDArray[np.float64]] = {}
    layer_inputs = {node.input[0] for node in graph.layers if node.op_type == "Conv"}
    batch_count = 0
    for batch in batches:
        values = dict(zip(names, session.run(names, {input_name: batch}), strict=True))
        values[input_name] = batch
        for name, histogram in histograms.items():
            histogram.add(values[name])
        for name in layer_inputs & values.keys():
            # Of each picture alike, whatever its size.
            mean = values[name].mean(axis=(0, *range(2, values[name].ndim)), dtype=np.float64)
            sums[name] = sums.get(name, 0.0) + mean
        batch_count += 1
        on_batch()
    return Activations(histograms, {name: total / max(batch_count, 1) for name, total in sums.items()})
