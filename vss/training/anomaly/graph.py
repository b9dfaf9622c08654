"""Writes a detector as ONNX: window in, `score` and `feature_scores` out.

The graph is written operator by operator rather than exported from PyTorch: it holds what the arithmetic needs and
nothing else, is the same whatever the exporter's version, and takes milliseconds to make.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any, Final, NamedTuple

import numpy as np
import onnx
from onnx import TensorProto, compose, helper, numpy_helper

from vss.training.series_file import INPUT, OPSET, save

SCORE: Final = "score"
PARTS: Final = "feature_scores"
_TREES_OPSET: Final = 3


class Judged(NamedTuple):
    """Names of two values in a graph.

    Attributes:
        score: (n,).
        parts: (n, F), which sum to it.
    """

    score: str
    parts: str


class GraphWriter:
    """A graph under construction, with the input of a detector.

    Args:
        window: Readings in a window.
        features: Of a reading.
        prefix: Of all names: those of a loop's body must differ from those around it.
    """

    def __init__(self, window: int, features: int, prefix: str = "") -> None:
        self.window, self.features = window, features
        self._prefix = prefix
        self._nodes: list[Any] = []
        self._held: list[Any] = []
        self._opsets = {"": OPSET}

    def constant(self, values: Any, dtype: Any = np.float32) -> str:
        """Puts numbers into the file."""
        name = f"{self._prefix}c{len(self._held)}"
        self._held.append(numpy_helper.from_array(np.asarray(values, dtype), name))
        return name

    def op(self, kind: str, *inputs: str, outputs: int = 1, **attributes: Any) -> Any:
        """Adds an operator; its outputs' names, one as a string and more as a list."""
        names = [f"{self._prefix}{kind.lower()}{len(self._nodes)}_{place}" for place in range(outputs)]
        self._nodes.append(helper.make_node(kind, list(inputs), names, **attributes))
        return names[0] if outputs == 1 else names

    def axes(self, *axes: int) -> str:
        """Axes, as operators take them since opset 13."""
        return self.constant(axes, np.int64)

    def last(self, value: str, start: int, end: int, axis: int) -> str:
        """Places `start` to `end` of an axis, both counted from its end."""
        far = np.iinfo(np.int64).max
        name: str = self.op(
            "Slice",
            value,
            self.constant([-start], np.int64),
            self.constant([-end if end else far], np.int64),
            self.axes(axis),
        )
        return name

    def include(self, document: Any, given: str, wanted: str) -> str:
        """Takes in another graph with one input, and gives the name of one of its outputs."""
        prefixed = compose.add_prefix(document, f"g{len(self._nodes)}/")
        graph = prefixed.graph
        (entry,) = graph.input
        for node in graph.node:
            for place, name in enumerate(node.input):
                if name == entry.name:
                    node.input[place] = given
        self._nodes += graph.node
        self._held += graph.initializer
        self._opsets |= {one.domain: one.version for one in prefixed.opset_import if one.domain}
        return next(str(one.name) for one in graph.output if one.name.endswith(f"/{wanted}"))

    def body(self, inputs: list[Any], outputs: list[Any]) -> Any:
        """The operators as the body of a loop."""
        return helper.make_graph(self._nodes, "body", inputs, outputs, self._held)

    def write(self, judged: Judged, file: Path) -> None:
        """Writes the file.

        Raises:
            ModelUnsupported: It became too large.
        """
        self._nodes.append(helper.make_node("Identity", [judged.score], [SCORE]))
        self._nodes.append(helper.make_node("Identity", [judged.parts], [PARTS]))
        graph = helper.make_graph(
            self._nodes,
            "detector",
            [helper.make_tensor_value_info(INPUT, TensorProto.FLOAT, ["n", self.window, self.features])],
            [
                helper.make_tensor_value_info(SCORE, TensorProto.FLOAT, ["n"]),
                helper.make_tensor_value_info(PARTS, TensorProto.FLOAT, ["n", self.features]),
            ],
            self._held,
        )
        imports = [helper.make_opsetid(domain, version) for domain, version in sorted(self._opsets.items())]
        save(helper.make_model(graph, opset_imports=imports, producer_name="vss train anomaly"), file)


def larger_of(writer: GraphWriter, first: Judged, second: Judged, thresholds: tuple[float, float]) -> Judged:
    """Adds what takes the larger of two scores, each in its own threshold; the threshold of both together is 1."""
    relative = []
    for judged, threshold in zip((first, second), thresholds, strict=True):
        divisor = writer.constant(threshold)
        relative.append(Judged(writer.op("Div", judged.score, divisor), writer.op("Div", judged.parts, divisor)))
    leads = writer.op("GreaterOrEqual", relative[0].score, relative[1].score)
    upright = writer.op("Unsqueeze", leads, writer.axes(1))
    return Judged(
        writer.op("Max", relative[0].score, relative[1].score),
        writer.op("Where", upright, relative[0].parts, relative[1].parts),
    )


def trees(forest: Any) -> Any:
    """An isolation forest as ONNX: `statistics` to `scores`, how normal a row is less the forest's offset."""
    from skl2onnx import convert_sklearn
    from skl2onnx.common.data_types import FloatTensorType

    document = convert_sklearn(
        forest,
        initial_types=[("statistics", FloatTensorType([None, forest.n_features_in_]))],
        target_opset={"": OPSET, "ai.onnx.ml": _TREES_OPSET},
    )
    assert isinstance(document, onnx.ModelProto)  # noqa: S101 - it has other answers for other wishes
    return document
