"""Classifiers of a few bytes: their logits are a matrix times the mean of each channel, so tests know them."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
from onnx import TensorProto, helper, numpy_helper, save

from vss.config import ModelSettings
from vss.model_store.manifest import Manifest
from vss.model_store.resolve import ModelRef
from vss.model_store.runner.runner import Runner

COLOURS = ("red", "green", "blue")
PLAIN = {"mean": (0, 0, 0), "std": (1, 1, 1)}
"""Of a manifest's `input`, so that inputs are 0..1."""


def write_classifier(
    path: Path,
    weights: Sequence[Sequence[float]] = ((10, 0, 0), (0, 10, 0), (0, 0, 10)),
    *,
    labels: Sequence[str] | None = COLOURS,
    side: int | str = 32,
    batch: int | str = "batch",
    softmax: bool = False,
    output_shape: Sequence[int] = (),
    outputs: int = 1,
    metadata: dict[str, str] | None = None,
) -> Path:
    """Logits (batch, classes) are `weights` times the mean of each channel, as the input has it.

    Args:
        path: Where it is written.
        weights: A row a class, a column a channel.
        labels: Written as the metadata `names`; none when None.
        side: Of the input; a name for any.
        batch: A number, or a name for any.
        softmax: Puts out probabilities.
        output_shape: What follows the batch in the output's shape, where it is not (classes,).
        outputs: How many times the output is given out.
        metadata: Further metadata.
    """
    nodes = [
        helper.make_node("GlobalAveragePool", ["images"], ["pooled"]),
        helper.make_node("Flatten", ["pooled"], ["flat"]),
        helper.make_node("Gemm", ["flat", "weights"], ["scores"], transB=1),
        helper.make_node("Softmax" if softmax else "Identity", ["scores"], ["chances"]),
    ]
    constants = [numpy_helper.from_array(np.array(weights, np.float32), "weights")]
    last = "chances"
    if output_shape:
        constants.append(numpy_helper.from_array(np.array([-1, *output_shape], np.int64), "shape"))
        nodes.append(helper.make_node("Reshape", ["chances", "shape"], ["shaped"]))
        last = "shaped"
    nodes += [helper.make_node("Identity", [last], [f"output{i}"]) for i in range(outputs)]
    graph = helper.make_graph(
        nodes,
        "tiny",
        [helper.make_tensor_value_info("images", TensorProto.FLOAT, [batch, 3, side, side])],
        [helper.make_tensor_value_info(f"output{i}", TensorProto.FLOAT, None) for i in range(outputs)],
        constants,
    )
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 18)], ir_version=9)
    names = {} if labels is None else {"names": str(dict(enumerate(labels)))}
    helper.set_model_props(model, names | (metadata or {}))
    path.parent.mkdir(parents=True, exist_ok=True)
    save(model, str(path))
    return path


def classifier_manifest(**changes: Any) -> Manifest:
    """A manifest for them; inputs are 0..1 unless `input` says otherwise."""
    return Manifest.model_validate({"task": "classification", "input": PLAIN} | changes)


def load(path: Path, manifest: Manifest | None = None, **settings: object) -> Runner[Any]:
    """The classifier of a file."""
    ref = ModelRef("tiny", "1", path, manifest if manifest is not None else classifier_manifest())
    return Runner.load(ref, ModelSettings.model_validate({"threads": 1, "device": "cpu"} | settings))
